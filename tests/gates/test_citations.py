"""Do quotations stand in the given context, and do numbered references lead anywhere?"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from builders import a_task
from tierwise.gates.citations import CitationsGate
from tierwise.types import Completion, Message, Task, Verdict

REPORT = """[1] The harbour was closed in March 1911, after the ice had broken two of the piers.
Nobody was hurt; “the town,” wrote the mayor, “has lost its heart but not its head.”
[2] In the following year the council voted for a new mole, which cost 40,000 crowns and was
paid for by a tax on herring. Fishermen called it the salt penny and refused to pay it at first.
[3] It took until 1914 to finish the mole, and the war closed the harbour for a second time."""
TASK = a_task(f"What became of the harbour? Cite the report.\n\n{REPORT}")


def judged(text: str, task: Task = TASK) -> Verdict | None:
    return CitationsGate().judge(task, Completion(text=text))


@pytest.mark.parametrize(
    "text",
    [
        'It says that "the ice had broken two of the piers".',
        'It says that "The ICE had broken\ttwo of the piers."',
        'The mayor: "the town, wrote the mayor, has lost its heart".',
        "Es heißt: „a tax on herring. Fishermen called it the salt penny“.",
        "« It took until 1914 to finish the mole »",
        '"The harbour was closed ... after the ice had broken two of the piers"',
        '"[The mole] cost 40,000 crowns and was paid for [in full] by a tax on herring"',
        "The harbour was closed [1], a mole was built [2, 3] and paid for [1-3].",
    ],
)
def test_what_stands_in_the_context_may_be_quoted(text: str) -> None:
    verdict = judged(text)
    assert verdict is not None
    assert verdict.p == 1.0


def test_a_quotation_that_stands_nowhere_is_named() -> None:
    verdict = judged('It says that "the mayor drowned in the harbour that winter".')
    assert verdict is not None
    assert verdict.p < 0.5
    assert "the mayor drowned" in verdict.reason


def test_a_quotation_that_was_touched_up_lies_between() -> None:
    verdict = judged('"In the following year the council voted for a new pier, which cost 40,000"')
    assert verdict is not None
    assert 0.5 < verdict.p < 1.0
    assert "with changes" in verdict.reason


def test_the_worst_quotation_decides() -> None:
    verdict = judged(
        '"the ice had broken two of the piers" and "all the ships were sold to Norway"'
    )
    assert verdict is not None
    assert "Norway" in verdict.reason


def test_a_reference_to_nothing_is_named() -> None:
    verdict = judged("The harbour was closed [1] and sold [7].")
    assert verdict is not None
    assert verdict.p < 0.5
    assert "cites [7]" in verdict.reason


def test_tools_and_system_give_context_but_the_models_themselves_do_not() -> None:
    asked = [Message("user", "What became of it?")]
    quote = 'It says "the ice had broken two of the piers".'
    given = replace(TASK, messages=[*asked, Message("tool", REPORT)])
    said = replace(TASK, messages=[*asked, Message("assistant", REPORT)])
    assert judged(quote, given) is not None
    assert judged(quote, said) is None


@pytest.mark.parametrize(
    "text",
    [
        "It was closed.",
        'They called it the "salt penny".',
        '{"reasoning": "The mayor was drowned in the winter of that year"}',
        'Say `print("the mayor was drowned in winter")`.',
        'Then f("a = b, c = d, e = f, g = h") returns 1.',
        "See [3](https://example.org) and a[9] and the list [1, 2, 3].append",
    ],
)
def test_what_is_no_quotation_is_not_looked_up(text: str) -> None:
    verdict = judged(text)
    assert verdict is None or verdict.p == 1.0


def test_without_a_context_there_is_nothing_to_look_up() -> None:
    text = 'Caesar wrote that "all Gaul is divided into three parts" [4].'
    assert judged(text, a_task("Who wrote about Gaul?")) is None


def test_where_the_context_numbers_nothing_a_reference_is_not_judged() -> None:
    plain = REPORT.replace("[", "").replace("]", "")
    assert judged("It was closed [7].", a_task(plain)) is None
