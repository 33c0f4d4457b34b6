"""A policy as it stands in a configuration file: changed there, and nothing else with it.

The file is changed as text, so that its comments and its order stay. What stood in the policy
itself is written anew.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

import yaml

from tierwise.config.reading import data_of

_INDENT = 2


def written(name: str, policy: Mapping[str, Any], indent: int = 0) -> str:
    """A policy as YAML, with its name above it."""
    text: str = yaml.safe_dump(
        {name: dict(policy)}, sort_keys=False, allow_unicode=True, width=90, indent=_INDENT
    )
    return "".join(" " * indent + line for line in text.splitlines(keepends=True))


def in_file(text: str, name: str) -> dict[str, Any]:
    """What a file says of a policy, empty where it says nothing."""
    data = data_of(text) or {}
    found = (data.get("policies") or {}).get(name) or {}
    return dict(found)


def with_policy(text: str, name: str, policy: Mapping[str, Any]) -> str:
    """The text of a file in which a policy is another one, or one more."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return text.rstrip("\n") + "\npolicies:\n" + written(name, policy, _INDENT)
    if root.flow_style:
        return _in_flow(text, name, policy)
    section = _entry(root, "policies")
    if section is None:
        return text.rstrip("\n") + "\n\npolicies:\n" + written(name, policy, _INDENT)
    key, value = section
    lines = text.splitlines(keepends=True)
    if not isinstance(value, yaml.MappingNode) or value.flow_style or not value.value:
        data = data_of(text)["policies"] or {}
        block = "policies:\n" + "".join(
            written(one, (policy if one == name else data[one]) or {}, _INDENT)
            for one in dict.fromkeys([*data, name])
        )
        return _replaced(lines, key.start_mark.line, _last(value), block)
    indent = value.value[0][0].start_mark.column
    mine = _entry(value, name)
    block = written(name, policy, indent)
    if mine is not None:
        return _replaced(lines, mine[0].start_mark.line, _last(mine[1]), block)
    end = _last(value)
    return _replaced(lines, end + 1, end, block)


def difference(before: str, after: str, name: str) -> list[str]:
    """What differs, as `diff -u` says it."""
    return list(
        difflib.unified_diff(
            before.splitlines(), after.splitlines(), name, f"{name} (edited)", lineterm="", n=2
        )
    )


def _in_flow(text: str, name: str, policy: Mapping[str, Any]) -> str:
    """The same for a file that is one flow, such as JSON."""
    data = data_of(text)
    policies = {**(data.get("policies") or {}), name: dict(policy)}
    data["policies"] = policies
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _entry(node: yaml.MappingNode, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    for key, value in node.value:
        if key.value == name:
            return key, value
    return None


def _last(node: yaml.Node) -> int:
    """The last line that something of a node stands in. A block's own end is where the next thing
    begins, after comments that belong to that."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return max(_last(part) for pair in node.value for part in pair)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return max(_last(part) for part in node.value)
    end = node.end_mark
    if end.column == 0 and end.line > node.start_mark.line:
        return int(end.line) - 1
    return int(end.line)


def _replaced(lines: list[str], first: int, last: int, block: str) -> str:
    before = "".join(lines[:first])
    if before and not before.endswith("\n"):
        before += "\n"
    return before + block + "".join(lines[last + 1 :])
