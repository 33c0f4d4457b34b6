"""Does the answer refuse, or say that it does not know?"""

from __future__ import annotations

import pytest

from builders import a_task
from tierwise.gates.refusal import RefusalGate
from tierwise.types import Completion, ToolCall


def p_of(text: str, prompt: str = "Which rivers meet in Passau?") -> float | None:
    verdict = RefusalGate().judge(a_task(prompt), Completion(text=text))
    return None if verdict is None else verdict.p


@pytest.mark.parametrize(
    "text",
    [
        "I cannot help with that.",
        "I’m sorry, but I can't assist with that request.",
        "Unfortunately, I am unable to answer this question.",
        "Es tut mir leid, aber dabei kann ich nicht helfen.",
        "Ich kann diese Anfrage leider nicht beantworten.",
        "Ich bin nicht in der Lage, das zu tun.",
        "Je suis désolé, mais je ne peux pas répondre à cette question.",
        "Je ne peux pas vous aider.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "No puedo proporcionar esa información.",
        "Non posso aiutarti con questo.",
        "Não posso ajudar com isso.",
        "Daar kan ik niet mee helpen; ik kan je hier helaas niet mee helpen.",
        "抱歉，我无法回答这个问题。",
        "申し訳ありませんが、その質問にはお答えできません。",
        "Извините, я не могу помочь с этим.",
        '["I am sorry, I cannot fulfill this request."]',
    ],
)
def test_a_refusal_is_hardly_acceptable(text: str) -> None:
    p = p_of(text)
    assert p is not None
    assert p < 0.1


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("I don't have access to real-time data.", "access"),
        ("I don't know.", "know"),
        ("Could you please provide the text?", "know"),
        ("Das weiß ich leider nicht.", "know"),
        ("Je ne sais pas.", "know"),
        ("No lo sé.", "know"),
        ("As an AI language model, opinions are foreign to me.", "machine"),
        ("Als KI-Modell habe ich keine Meinung.", "machine"),
        ("I'm not sure, but it might be the Inn.", "not sure"),
        ("Ich bin mir nicht ganz sicher, vielleicht der Inn.", "not sure"),
    ],
)
def test_hedging_is_between_a_refusal_and_an_answer(text: str, word: str) -> None:
    verdict = RefusalGate().judge(a_task(), Completion(text=text))
    assert verdict is not None
    assert 0.1 < verdict.p < 0.7
    assert word in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "The Danube, the Inn and the Ilz.",
        "Donau, Inn und Ilz treffen sich dort; die Ilz ist nicht so lang.",
        "You cannot swim there, and I can recommend the old town.",
        'The clerk wrote "I cannot help with that" and left. It was in 1950.',
        "The log says:\n```\nI'm sorry, I can't do that\n```\nwhich means that the door is shut.",
        "The Danube and two more. " * 20 + "I cannot help with hotels.",
        "No puede ser de otra manera: son tres ríos.",
        "Il ne peut pas y en avoir quatre.",
    ],
)
def test_an_answer_is_not_taken_for_a_refusal(text: str) -> None:
    assert p_of(text) == 1.0


def test_a_refusal_that_goes_on_to_help_is_a_doubtful_one() -> None:
    p = p_of("I can't provide legal advice. " + "But here is what the law says about it. " * 20)
    assert p is not None
    assert 0.1 < p < 0.5


@pytest.mark.parametrize(
    "prompt",
    [
        "Write a polite letter that declines an invitation.",
        "Schreib eine Absage an einen Bewerber.",
        "Translate: Ich kann dir leider nicht helfen.",
        "Pretend to be a rude clerk.",
    ],
)
def test_where_the_task_is_about_refusing_the_gate_keeps_silent(prompt: str) -> None:
    assert p_of("I'm sorry, but I can't help you.", prompt) is None


def test_a_refusal_that_the_provider_declares_needs_no_words() -> None:
    verdict = RefusalGate().judge(a_task(), Completion(text="", refusal="no"))
    assert verdict is not None
    assert verdict.p < 0.1


@pytest.mark.parametrize(
    "answer",
    [
        Completion(text=" "),
        Completion(text="I can't help", tool_calls=(ToolCall(name="f", arguments="{}"),)),
    ],
)
def test_without_words_of_its_own_there_is_nothing_to_say(answer: Completion) -> None:
    assert RefusalGate().judge(a_task(), answer) is None


def test_a_stream_that_begins_with_a_refusal_is_doubted_and_any_other_is_given_time() -> None:
    gate, task = RefusalGate(), a_task()
    verdict = gate.judge_start(task, Completion(text="I'm sorry, but I can't help with that, be"))
    assert verdict is not None
    assert 0.0 < verdict.p < 0.5
    assert gate.judge_start(task, Completion(text="The capital of France is")) is None
