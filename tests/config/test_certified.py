"""A policy's certificate is checked against what is configured, before anything is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from builders import a_certificate, a_policy
from tierwise.certificate import Certificate, Combination, Curve, GateEvidence, digest
from tierwise.config import Setup, build, from_mapping
from tierwise.config.certified import policy_hash
from tierwise.errors import ConfigError
from tierwise.types import Tier

TIERS = (Tier(model="small", gates=("complete", "json_schema")), Tier(model="large"))
POLICY = a_policy("stepwise", reference="large", tiers=TIERS)


def fitting(**fields: Any) -> Certificate:
    """A certificate of `POLICY`."""
    return a_certificate(policy_hash=policy_hash(POLICY), **fields)


def built(tmp_path: Path, certificate: Certificate, **changes: Any) -> Setup:
    """The set-up with this certificate; `changes` are of the policy, None leaves a field out."""
    certificate.save(tmp_path / "certificate.json")
    policy = {
        "reference": "large",
        "tiers": [{"model": "small"}, {"model": "large"}],
        "certificate": str(tmp_path / "certificate.json"),
        **changes.pop("policy", {}),
    }
    data = {
        "providers": {"p": {"base_url": "http://127.0.0.1:9/v1", "models": ["small", "large"]}},
        "models": {
            name: {"prices": {"input": price, "output": price}}
            for name, price in (("small", 1.0), ("large", 10.0))
        },
        "policies": {"stepwise": {k: v for k, v in policy.items() if v is not None}},
        **changes,
    }
    return build(from_mapping(data, {}))


def test_a_certificate_that_fits_is_there_with_its_hash(tmp_path: Path) -> None:
    certificate = fitting()
    setup = built(tmp_path, certificate)
    found = setup.certificates["stepwise"]
    assert found.certificate == certificate
    assert found.hash == digest(certificate)
    assert (found.void, found.on_void) == (None, "reference")


@pytest.mark.parametrize("reference", ["large", None])
def test_a_policy_without_tiers_takes_them_from_its_certificate(
    tmp_path: Path, reference: str | None
) -> None:
    setup = built(tmp_path, fitting(), policy={"tiers": None, "reference": reference})
    policy = setup.policies["stepwise"]
    assert [tier.model for tier in policy.tiers] == ["small", "large"]
    assert policy.tiers[0].gates == ("complete", "json_schema")
    assert policy.reference == "large"


@pytest.mark.parametrize(
    ("policy", "field", "words"),
    [
        ({"reference": "small"}, "reference", "it is small, the certificate's is large"),
        ({"tiers": [{"model": "large"}]}, "tiers", "come none, in the certificate small"),
        ({"gates": ["complete"]}, "gates", "they are complete, in the certificate complete, json"),
        ({"deny": ["p"]}, "certificate", "models, regions or ceilings"),
        ({"max_cost_usd": 0.1}, "certificate", "models, regions or ceilings"),
        ({"streams": "prefix"}, "streams", "'prefix' is seen before its gates"),
        ({"certificate": "nowhere.json"}, "certificate", "nowhere.json.*no such file"),
    ],
)
def test_what_was_changed_since_is_an_error_at_the_start(
    tmp_path: Path, policy: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        built(tmp_path, fitting(), policy=policy)
    assert refused.value.field == f"policies.stepwise.{field}"
    assert refused.value.remedy


def test_thresholds_and_waiting_times_may_change(tmp_path: Path) -> None:
    tiers = [{"model": "small", "accept": 0.9}, {"model": "large"}]
    setup = built(tmp_path, fitting(), policy={"tiers": tiers, "deadline_s": 5, "quality": 0.5})
    assert setup.certificates["stepwise"].void is None


def test_tiers_with_different_gates_cannot_share_a_certificate(tmp_path: Path) -> None:
    tiers = [{"model": "small", "gates": ["complete"]}, {"model": "small"}, {"model": "large"}]
    with pytest.raises(ConfigError, match="different gates"):
        built(tmp_path, fitting(tiers=("small", "small")), policy={"tiers": tiers})


def test_verdicts_that_nobody_asks_for_cannot_be_weighed(tmp_path: Path) -> None:
    curve = Curve((0.0, 1.0), (0.0, 1.0))
    evidence = GateEvidence(gate="token_confidence", curve=curve, weight=1.0, missing=0.0)
    plain: Combination = fitting().combination
    with pytest.raises(ConfigError, match="weighs what token_confidence said"):
        built(tmp_path, fitting(combination=replace(plain, gates=(evidence,))))


def test_thresholds_for_data_sets_cannot_be_served(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="requests do not say to which they belong"):
        built(tmp_path, fitting(by="dataset"))


def test_a_model_of_the_certificate_must_be_configured(tmp_path: Path) -> None:
    certificate = fitting(tiers=("tiny",))
    tiny = replace(POLICY, tiers=(replace(TIERS[0], model="tiny"), TIERS[1]))
    certificate = replace(certificate, policy_hash=policy_hash(tiny))
    with pytest.raises(ConfigError, match="'tiny' is not configured"):
        built(tmp_path, certificate, policy={"tiers": None})


@pytest.mark.parametrize(
    ("artifact", "words"),
    [(None, "none is configured"), ("new", "is not the one"), ("gone", "cannot be read")],
)
def test_another_router_voids_the_certificate_and_lets_the_gateway_start(
    tmp_path: Path, artifact: str | None, words: str
) -> None:
    (tmp_path / "new").write_bytes(b"trained last night")
    router = {"artifact": "none" if artifact is None else str(tmp_path / artifact)}
    setup = built(tmp_path, fitting(artifact_hash="0" * 64), router=router)
    void = setup.certificates["stepwise"].void
    assert void is not None
    assert words in void


@pytest.mark.parametrize("learned", [True, False])
def test_kinds_must_be_told_as_they_were_at_calibration(tmp_path: Path, learned: bool) -> None:
    made = fitting(by="kind", learned_kinds=learned)
    setup = built(tmp_path, made, router={"artifact": "none"})
    void = setup.certificates["stepwise"].void
    assert (void is None) is not learned
    assert "kinds" in (void or "kinds")


def test_who_makes_a_certificate_need_not_have_one(tmp_path: Path) -> None:
    data = {
        "providers": {"p": {"base_url": "http://127.0.0.1:9/v1", "models": ["gpt-4o"]}},
        "policies": {"auto": {"certificate": str(tmp_path / "to-be-made.json")}},
    }
    assert build(from_mapping(data, {}), certificates=False).certificates == {}
