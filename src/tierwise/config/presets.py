"""What is known of each provider, as data; most are of the OpenAI-compatible family.

Facts from the providers' own API references; see `providers/openai_compatible.py` for what each
quirk does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from tierwise.wire.features import Feature

Offer = str | Mapping[str, str]
"""A model at a provider, written as in the configuration: its name, or `model` and `upstream`."""


class Preset(Struct, frozen=True, kw_only=True):
    """A provider's defaults.

    `key_variables` are environment variables that usually hold its key. `catalog` is the name
    that prices are listed under. `port` is where a local server usually listens; a `local`
    provider runs on the user's own hardware, so its tokens cost nothing unless configured.
    `lacks` are features that it is certain to refuse or to pass over in the preset's own dialect,
    `models_lack` such as some of its models do, by a pattern for their names.
    `offers` are the models that a first run without a config makes use of: current ones
    from small to large, priced there, and under the catalogue's names, so that the same model at
    two providers becomes two deployments of one. The very dearest are left out: measured against
    them, any saving would look large.
    """

    base_url: str
    key_variables: tuple[str, ...] = ()
    dialect: str = "openai_compatible"
    catalog: str | None = None
    quirks: frozenset[str] = frozenset()
    lacks: frozenset[Feature] = frozenset()
    models_lack: tuple[tuple[str, frozenset[Feature]], ...] = ()
    local: bool = False
    port: int | None = None
    offers: tuple[Offer, ...] = ()

    def lacks_of(self, dialect: str, *names: str) -> frozenset[str]:
        """What a model of these names does not take, spoken to in a dialect."""
        lacks: set[str] = set(self.lacks) if dialect == self.dialect else set()
        for pattern, found in self.models_lack:
            if any(re.search(pattern, name) for name in names):
                lacks |= found
        return frozenset(lacks)


# "Unrecognized request argument supplied: top_k"; files by URL are for Responses alone, films for
# nobody: https://platform.openai.com/docs/guides/pdf-files
_NOT_OPENAIS: frozenset[Feature] = frozenset({"top_k", "video_data", "video_url", "document_url"})
_OPENAIS_QUIRKS = frozenset({"max-completion-tokens", "no-cache-marks", "no-reasoning-object"})
_PENALTIES: frozenset[Feature] = frozenset({"frequency_penalty", "presence_penalty"})
_DRAWING: frozenset[Feature] = _PENALTIES | {"temperature", "top_p", "logprobs"}
# "Unsupported parameter: 'stop' is not supported with this model." says each of them that thinks.
# Some take the others as long as they do not think, GPT-5.1, 5.2 and 5.4, whom none of that is said
# of here. https://platform.openai.com/docs/guides/latest-model (parameter compatibility),
# https://community.openai.com/t/developer-role-not-accepted-for-o1-o1-mini-o3-mini/1110750/7
_OPENAIS_MODELS: tuple[tuple[str, frozenset[Feature]], ...] = (
    (r"(?:^|/)(?:o[34]|gpt-5)(?![\w.-]*chat)(?:[.-]|$)", frozenset({"stop", "logit_bias"})),
    (r"(?:^|/)gpt-6(?:[.-]|$)", frozenset({"stop", "logit_bias"})),
    # "Unrecognized request argument supplied: reasoning_effort":
    # https://github.com/yaroslavyaroslav/OpenAI-sublime-text/issues/146
    (r"(?:^|/)(?:gpt-[34]|chatgpt-4)", frozenset({"effort", "thinking_budget"})),
    (r"(?:^|/)o[134](?:-|$)", _DRAWING | {"logit_bias"}),
    (r"(?:^|/)gpt-5(?:-(?!chat)|$)", _DRAWING),
    (r"(?:^|/)gpt-(?:5\.[56]|6(?:\.\d+)?)(?:-|$)", _DRAWING),
)


def _as(model: str, upstream: str) -> dict[str, str]:
    return {"model": model, "upstream": upstream}


PRESETS: dict[str, Preset] = {
    "openai": Preset(
        base_url="https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",),
        catalog="openai",
        # Its reasoning models reject `max_tokens`; the others know both.
        # https://platform.openai.com/docs/api-reference/chat/create
        # Refuses fields in messages that it does not know.
        quirks=_OPENAIS_QUIRKS,
        lacks=_NOT_OPENAIS,
        models_lack=_OPENAIS_MODELS,
        offers=("gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol"),
    ),
    "anthropic": Preset(
        base_url="https://api.anthropic.com",
        key_variables=("ANTHROPIC_API_KEY",),
        dialect="anthropic",
        catalog="anthropic",
        offers=("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"),
    ),
    "groq": Preset(
        base_url="https://api.groq.com/openai/v1",
        key_variables=("GROQ_API_KEY",),
        catalog="groq",
        # Connections usage only when asked (https://github.com/withceleste/celeste-python/pull/351).
        # "property 'reasoning' is unsupported":
        # https://github.com/musistudio/claude-code-router/pull/1204
        quirks=frozenset({"no-cache-marks", "no-reasoning-object"}),
        # Rejects `logprobs`, `logit_bias` and n > 1: https://console.groq.com/docs/openai; and
        # says "property 'top_k' is unsupported".
        lacks=frozenset({"logprobs", "logit_bias", "choices", "top_k"}),
        offers=("openai/gpt-oss-20b", "openai/gpt-oss-120b", "qwen/qwen3.8-27b"),
    ),
    "mistral": Preset(
        base_url="https://api.mistral.ai/v1",
        key_variables=("MISTRAL_API_KEY",),
        catalog="mistral",
        dialect="mistral",
        # Answers 422 to every field it does not know, `stream_options.include_usage` and
        # `max_completion_tokens` among them, and streams usage unasked:
        # https://github.com/openai/openai-agents-python/issues/442,
        # https://github.com/editor-code-assistant/eca/issues/231
        # A last message by the assistant needs `prefix`:
        # https://docs.mistral.ai/api/endpoint/chat
        quirks=frozenset({"no-stream-options", "max-tokens", "prefill-prefix", "output-dimension"}),
        lacks=frozenset(
            {
                *("logprobs", "logit_bias", "top_k", "verbosity", "service_tier"),
                *("custom_tools", "tool_choice_several", "video_data", "video_url"),
            }
        ),
        offers=(
            _as("ministral-3-8b", "ministral-8b-2512"),
            _as("mistral-small-4", "mistral-small-2603"),
            _as("codestral", "codestral-2508"),
            "mistral-large-4",
        ),
    ),
    "deepseek": Preset(
        base_url="https://api.deepseek.com/v1",
        key_variables=("DEEPSEEK_API_KEY",),
        catalog="deepseek",
        # Ignores `max_completion_tokens` without a word:
        # https://github.com/earendil-works/pi/issues/8018
        quirks=frozenset({"max-tokens", "no-cache-marks", "thoughts-back", "no-reasoning-object"}),
        # "This response_format type is unavailable now": https://github.com/llm-exe/llm-exe/issues/662
        lacks=frozenset({"json_schema"}),
        # All that it serves: since September 2026 the other names are answered by this model,
        # at its price. https://api-docs.deepseek.com/quick_start/pricing
        offers=(_as("deepseek-v4.1-flash", "deepseek-flash"),),
    ),
    "together": Preset(
        # https://docs.together.ai/docs/inference/openai-compatibility; api.together.xyz is its
        # older name.
        base_url="https://api.together.ai/v1",
        key_variables=("TOGETHER_API_KEY",),
        catalog="together",
        quirks=frozenset({"max-tokens", "no-cache-marks"}),
        offers=(
            _as("qwen3.5-9b", "Qwen/Qwen3.5-9B"),
            "openai/gpt-oss-120b",
            _as("glm-5.3-flash", "zai-org/GLM-5.3-Flash"),
            _as("glm-5.3", "zai-org/GLM-5.3"),
            _as("kimi-k3.1-pro", "moonshotai/Kimi-K3.1-Pro"),
        ),
    ),
    "fireworks": Preset(
        base_url="https://api.fireworks.ai/inference/v1",
        key_variables=("FIREWORKS_API_KEY",),
        catalog="fireworks",
        quirks=frozenset({"max-tokens", "no-cache-marks", "no-reasoning-object"}),
        offers=(
            "accounts/fireworks/models/gpt-oss-20b",
            "accounts/fireworks/models/gpt-oss-120b",
            _as("glm-5.3-flash", "accounts/fireworks/models/glm-5p3-flash"),
            _as("glm-5.3", "accounts/fireworks/models/glm-5p3"),
            _as("kimi-k3.1-pro", "accounts/fireworks/models/kimi-k3p1-pro"),
        ),
    ),
    "openrouter": Preset(
        base_url="https://openrouter.ai/api/v1",
        key_variables=("OPENROUTER_API_KEY",),
        catalog="openrouter",
        # Usage, with the cost, ends every stream; `include_usage` has no effect:
        # https://openrouter.ai/docs/client-sdks/python/components/chatstreamoptions.md
        # Cost is in credits, of 1 USD each: https://openrouter.ai/docs/use-cases/usage-accounting
        quirks=frozenset({"no-stream-options", "max-tokens", "usage-cost"}),
        offers=(
            "openai/gpt-6-luna",
            _as("claude-haiku-5-5", "anthropic/claude-haiku-5.5"),
            "google/gemini-3.8-flash",
            "openai/gpt-6.1-sol",
            _as("claude-sonnet-5-5", "anthropic/claude-sonnet-5.5"),
        ),
    ),
    "xai": Preset(
        base_url="https://api.x.ai/v1",
        key_variables=("XAI_API_KEY",),
        catalog="x-ai",
        quirks=frozenset({"no-cache-marks", "no-reasoning-object"}),
        # "presencePenalty, frequencyPenalty and stop parameters are not supported by reasoning
        # models. Adding them in the request would result in an error.", and of efforts:
        # https://docs.x.ai/docs/guides/reasoning
        models_lack=(
            (r"^grok-(?:3-mini|4|code)(?!.*non-reasoning)", _PENALTIES | {"stop"}),
            (
                r"^grok-(?:3(?!-mini)|4(?:-|$)|4\.20(?!-multi-agent)|code)",
                frozenset({"effort", "thinking_budget"}),
            ),
        ),
        # The older and the fast Groks were retired in May 2026:
        # https://docs.x.ai/docs/migration/may-15-retirement
        offers=("grok-build-0.1", "grok-4.3", "grok-4.7"),
    ),
    # Through its OpenAI-compatible endpoint: `dialect: openai_compatible`,
    # `base_url: https://generativelanguage.googleapis.com/v1beta/openai`.
    "gemini": Preset(
        base_url="https://generativelanguage.googleapis.com",
        key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        dialect="gemini",
        catalog="google",
        # "Penalty is not enabled for models/gemini-2.5-flash", "Logprobs is not enabled for
        # models/gemini-2.5-pro": https://github.com/PublicAffairs/openai-gemini/issues/63,
        # https://github.com/mscraftsman/generative-ai/issues/135
        models_lack=((r"gemini-(?:2\.5|[3-9])", _PENALTIES | {"logprobs"}),),
        offers=("gemini-3.5-flash-lite", "gemini-3.8-flash", "gemini-4-argon"),
    ),
    # Of a `project` and `location` with Google's application default credentials, or of express
    # mode with a key.
    "vertex": Preset(
        base_url="https://aiplatform.googleapis.com/v1beta1",
        dialect="vertex",
        catalog="google",
        # There it is so since Gemini 3:
        # https://github.com/GoogleCloudPlatform/generative-ai/issues/2947
        models_lack=((r"gemini-[3-9]", _PENALTIES | {"logprobs"}),),
    ),
    "voyage": Preset(
        # Embeddings only. https://docs.voyageai.com/reference/embeddings-api
        base_url="https://api.voyageai.com/v1",
        key_variables=("VOYAGE_API_KEY",),
        quirks=frozenset({"output-dimension"}),
    ),
    "bedrock": Preset(
        # The region is the provider's `region`, or that of AWS's own variables and files. Keys of
        # AWS come from there as well; one of Bedrock's own is `api_key`.
        base_url="https://bedrock-runtime.{region}.amazonaws.com",
        dialect="bedrock",
        key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
        catalog="aws",
    ),
    "azure": Preset(
        base_url="",  # a resource's own: https://NAME.openai.azure.com
        key_variables=("AZURE_OPENAI_API_KEY",),
        dialect="azure",
        catalog="azure",
        quirks=_OPENAIS_QUIRKS,
        # Others' models are served there as well.
        models_lack=((r"(?:^|/)(?:gpt|chatgpt|o\d)-", _NOT_OPENAIS), *_OPENAIS_MODELS),
    ),
    "cohere": Preset(
        base_url="https://api.cohere.com",
        key_variables=("COHERE_API_KEY", "CO_API_KEY"),
        dialect="cohere",
        catalog="cohere",
        offers=(
            _as("command-r7b", "command-r7b-12-2024"),
            _as("command-r", "command-r-08-2024"),
            _as("command-a", "command-a-03-2025"),
        ),
    ),
    "vllm": Preset(
        base_url="http://127.0.0.1:8000/v1",
        local=True,
        port=8000,
        quirks=frozenset({"prefill-continue"}),
    ),
    "sglang": Preset(
        base_url="http://127.0.0.1:30000/v1",
        local=True,
        port=30000,
        quirks=frozenset({"prefill-continue"}),
    ),
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
