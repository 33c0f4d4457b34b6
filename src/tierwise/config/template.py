"""The commented YAML that `tierwise init` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tierwise.config.discover import Found

_HEAD = """\
# Tierwise configuration. `tierwise check` validates it; `tierwise init --schema` prints its schema.
# ${NAME} is taken from the environment, so that no secret stands in this file.

server:
  host: 127.0.0.1
  port: 4100
  # Keys that clients send as `Authorization: Bearer ...`. Needed to listen beyond loopback.
  # api_keys: ["${TIERWISE_KEY}"]
  # limits: {rpm: 600, tpm: 1000000, concurrency: 50}   # of each client

# Where models are served. A name such as openai, groq, mistral, deepseek, together, fireworks,
# openrouter, xai, gemini, vllm, sglang, ollama, llamacpp or lmstudio brings its URL and
# peculiarities; vertex needs a `project` of Google Cloud; any other needs `base_url`.
"""
_EXAMPLE = """\
# Nothing was found here, so this is an example. `tierwise serve` needs its OPENAI_API_KEY; or put
# your own provider in its place.
providers:
  openai:
    api_key: ${OPENAI_API_KEY}
    models: [gpt-4o, gpt-4o-mini]
"""
_TAIL = """
# Facts about models that the catalogue does not know, or has otherwise.
# models:
#   my-model:
#     prices: {input: 0.20, output: 0.60}   # USD per million tokens
#     quality: 0.7                          # rough prior in [0, 1]
#     context_window: 32768
#     capabilities: [tools, json_schema]
#     specialises: [finance]

# Clients name a policy where they would name a model. These three always exist; change them here.
policies:
  auto:                 # as good as the reference in 95 of 100 parts, as cheap as that allows
    quality: 0.95
    # reference: gpt-4o # what quality and saving refer to; default: the best model configured
  economy:
    quality: 0.80
  best:
    quality: 1.0

# What predicts how well a model will do. `default` is the router that ships with Tierwise, and is
# loaded at the first request that leaves a choice; `none` decides by rules; anything else is the
# file of a router that `tierwise train` made out of outcomes of your own.
router:
  artifact: default

ledger:
  path: tierwise.db  # or `url: ${DATABASE_URL}` for PostgreSQL, which many gateways may share
  store_content: false  # true keeps prompts and answers too

# Traces and metrics for a collector of OpenTelemetry. Without an endpoint nothing is sent anywhere.
# telemetry:
#   otlp_endpoint: http://localhost:4318
"""


def render(found: Found) -> str:
    """The file's text, with what was found filled in."""
    if not found.providers:
        return _HEAD + _EXAMPLE + _TAIL
    lines = ["providers:"]
    for name, provider in found.providers.items():
        lines.append(f"  # {found.sources[name]}")
        block = yaml.safe_dump({name: provider}, sort_keys=False, default_flow_style=None)
        lines.extend("  " + line for line in block.rstrip().splitlines())
    return _HEAD + "\n".join(lines) + "\n" + _TAIL


def render_migrated(data: Mapping[str, Any], notes: Sequence[str], source: str) -> str:
    """The text of a file that was made from another gateway's; the notes stand above it."""
    said = "".join(f"#   - {note}\n" for note in notes)
    head = (
        f"# Made from {source}. `tierwise check` validates it; ${{NAME}} is taken from the "
        "environment.\n"
    )
    if said:
        head += f"# What is otherwise than there:\n{said}"
    body = yaml.safe_dump(dict(data), sort_keys=False, default_flow_style=None, width=100)
    return f"{head}\n{body}"
