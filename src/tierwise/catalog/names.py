"""One model, many spellings: reduces a provider's name for a model to something comparable.

`meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo`, `llama-3.1-70b-versatile`, `llama3.1:70b` and
`accounts/fireworks/models/llama-v3p1-70b-instruct` are one model. The same name with less and
less on it is tried from the most to the least exact, so that a more particular model wins over
the one it is derived from: `gpt-4-turbo` is found before anything takes `-turbo` off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# us.anthropic.claude-..., meta.llama3-1-..., regional.openai.gpt-...
_BEDROCK = re.compile(
    r"^(?:(?:us|eu|apac|jp|in|au|ca|us-gov|global|regional)\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|mistral|moonshotai|nvidia|openai|qwen"
    r"|zai)\.(?=[a-z])"
)
_BEDROCK_VERSION = re.compile(r"-v\d+(?::\d+)?(?::\d+k)?$")
# What routers append to the same weights: price, speed or effort differ, the model does not.
_VARIANT = re.compile(
    r":(?:batch|beta|cloud|exacto|extended|floor|free|latest|nitro|online|thinking)$"
)
# How leaderboards mark the runs in which tools were called natively.
_NATIVE_CALLS = re.compile(r"-fc(?:-any|-auto)?$")
_QUANTISED = re.compile(r"[-:](?:q\d\w*|fp8|fp16|bf16|awq|gptq|int[48]|nvfp4|gguf)$")
_DATE = re.compile(r"[-@](?:20\d\d-?(?:0\d|1[0-2])-?[0-3]\d|default)(?=-|:|$)")
_LATEST = re.compile(r"[-@]latest$")
_PREVIEW = re.compile(r"(?:-00\d|-(?:preview|exp|beta)(?:-\d\d-(?:\d\d|20\d\d)|-\d{4})?)$")
# What publishers of open weights call the tuned model; names of closed ones are left alone,
# where `-turbo` or `-lite` is another model.
_OPEN = re.compile(r"(?:llama|mistral|mixtral|qwen|gemma|phi|deepseek|gpt-oss|kimi|glm)")
_TUNED = re.compile(
    r"-(?:\d+k-instruct|instruct|inst|chat|it|hf|turbo|fast|instant|versatile|specdec|maas|tee"
    r"|8192|32768|preview|basic|v0\.[1-9]|v0p[1-9])$"
)
_EXPERTS = re.compile(r"-\d+e(?=-|$)")

_CLAUDE = re.compile(r"^claude-?(\d(?:\d(?!\d))?)-?(haiku|sonnet|opus|fable|mythos)")
_SEPARATORS = re.compile(r"[^a-z0-9]+")


def spellings(name: str) -> Iterator[str]:
    """Keys for a name, the most exact first; each is what `key` gives for a catalogue name."""
    seen: set[str] = set()
    for spelling in _reductions(name.lower().strip()):
        folded = key(spelling)
        if folded and folded not in seen:
            seen.add(folded)
            yield folded


def key(name: str) -> str:
    """A name without case, punctuation and word order, in which providers differ most."""
    lowered = name.lower().removeprefix("meta-")
    # Fireworks writes llama-v3p1 for llama-3.1, and glm-5p2 for glm-5.2.
    dotted = re.sub(r"(?<=\d)p(?=\d)", ".", re.sub(r"(?<=llama)-v(?=\d)", "-", lowered))
    folded = _SEPARATORS.sub("", dotted)
    return _CLAUDE.sub(r"claude\2\1", folded)


def _reductions(name: str) -> Iterator[str]:
    yield name
    name = name.rsplit("/", 1)[-1]
    yield name
    name = _BEDROCK.sub("", name)
    yield name
    for rule in (_NATIVE_CALLS, _BEDROCK_VERSION, _VARIANT, _QUANTISED, _DATE, _LATEST, _PREVIEW):
        name = rule.sub("", name)
        yield name
    if not _OPEN.search(name):
        return
    name = _EXPERTS.sub("", name.removeprefix("meta-"))
    yield name
    # Several of these can stand one after the other: -instruct-turbo, -chat-hf, -fp8-fast.
    while (shorter := _QUANTISED.sub("", _TUNED.sub("", name))) != name:
        name = shorter
        yield name
