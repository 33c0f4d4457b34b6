"""Gates are found by name."""

from __future__ import annotations

import pytest

from tierwise.errors import ConfigError
from tierwise.gates import Gate, Prepares, Slow, load_gates
from tierwise.gates.complete import CompleteGate
from tierwise.gates.json_schema import JsonSchemaGate
from tierwise.gates.probe import Probe


def test_the_gates_that_come_along_are_found_by_their_own_names() -> None:
    gates = load_gates(["complete", "json_schema", "complete"])
    assert {name: type(gate) for name, gate in gates.items()} == {
        "complete": CompleteGate,
        "json_schema": JsonSchemaGate,
    }
    assert all(gate.name == name for name, gate in gates.items())


def test_an_unknown_gate_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Use one of: json_schema"):
        load_gates(["json_shema"])


def test_only_a_gate_that_asks_for_it_sees_the_task_first() -> None:
    assert isinstance(JsonSchemaGate(), Prepares)
    assert not isinstance(CompleteGate(), Prepares)


def test_probes_are_found_by_name_and_are_no_gates() -> None:
    found = load_gates(["agreement", "judge", "self_check"])
    for name, probe in found.items():
        assert isinstance(probe, Probe)
        assert not isinstance(probe, (Gate, Slow))
        assert probe.name == name


def test_all_unknown_gates_are_named_at_once() -> None:
    with pytest.raises(ConfigError, match="unknown gates 'agrement', 'complet'") as caught:
        load_gates(["complet", "refusal", "agrement"])
    assert caught.value.remedy is not None
    assert "agreement, complete" in caught.value.remedy


def test_an_unknown_probe_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Use one of: agreement"):
        load_gates(["agrement"])
