"""What is known of each provider of the OpenAI-compatible family, as data.

Facts from the providers' own API references; see `providers/openai_compatible.py` for what each
quirk does.
"""

from __future__ import annotations

from msgspec import Struct


class Preset(Struct, frozen=True, kw_only=True):
    """A provider's defaults.

    `key_variables` are environment variables that usually hold its key. `catalog` is the name
    that prices are listed under. `port` is where a local server usually listens; a `local`
    provider runs on the user's own hardware, so its tokens cost nothing unless configured.
    `offers` are the models that a first run without a config makes use of.
    """

    base_url: str
    key_variables: tuple[str, ...] = ()
    dialect: str = "openai_compatible"
    catalog: str | None = None
    quirks: frozenset[str] = frozenset()
    local: bool = False
    port: int | None = None
    offers: tuple[str, ...] = ()


PRESETS: dict[str, Preset] = {
    "openai": Preset(
        base_url="https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",),
        catalog="openai",
        quirks=frozenset({"max-completion-tokens"}),
    ),
    "groq": Preset(
        base_url="https://api.groq.com/openai/v1",
        key_variables=("GROQ_API_KEY",),
        catalog="groq",
    ),
    "mistral": Preset(
        base_url="https://api.mistral.ai/v1",
        key_variables=("MISTRAL_API_KEY",),
        catalog="mistral",
        quirks=frozenset({"no-stream-options", "max-tokens"}),
    ),
    "deepseek": Preset(
        base_url="https://api.deepseek.com/v1",
        key_variables=("DEEPSEEK_API_KEY",),
        catalog="deepseek",
        quirks=frozenset({"max-tokens"}),
    ),
    "together": Preset(
        base_url="https://api.together.xyz/v1",
        key_variables=("TOGETHER_API_KEY",),
        catalog="together",
        quirks=frozenset({"max-tokens"}),
    ),
    "fireworks": Preset(
        base_url="https://api.fireworks.ai/inference/v1",
        key_variables=("FIREWORKS_API_KEY",),
        catalog="fireworks",
        quirks=frozenset({"max-tokens"}),
    ),
    "openrouter": Preset(
        base_url="https://openrouter.ai/api/v1",
        key_variables=("OPENROUTER_API_KEY",),
        catalog="openrouter",
        quirks=frozenset({"no-stream-options", "max-tokens"}),
    ),
    "xai": Preset(
        base_url="https://api.x.ai/v1",
        key_variables=("XAI_API_KEY",),
        catalog="x-ai",
    ),
    "vllm": Preset(base_url="http://127.0.0.1:8000/v1", local=True, port=8000),
    "sglang": Preset(base_url="http://127.0.0.1:30000/v1", local=True, port=30000),
    "ollama": Preset(
        base_url="http://127.0.0.1:11434/v1",
        local=True,
        port=11434,
        quirks=frozenset({"max-tokens"}),
    ),
    "llamacpp": Preset(
        base_url="http://127.0.0.1:8080/v1",
        local=True,
        port=8080,
        quirks=frozenset({"max-tokens"}),
    ),
    "lmstudio": Preset(
        base_url="http://127.0.0.1:1234/v1",
        local=True,
        port=1234,
        quirks=frozenset({"max-tokens"}),
    ),
    "openai_compatible": Preset(base_url=""),
}
