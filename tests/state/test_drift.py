"""A certificate is voided when traffic changes, and hardly ever when it does not."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tierwise.certificate import Baseline, Certificate, Combination, Curve, Threshold
from tierwise.state.drift import FALSE_ALARM, WINDOW, Watch, same_distribution

TENTHS = tuple(number / 10 for number in range(1, 10))
NOON = 1_772_366_400.0  # 1 March 2026, 12:00 UTC
SAME = Curve((0.0, 1.0), (0.0, 1.0))


def counted(edges: tuple[float, ...], values: list[float]) -> tuple[int, ...]:
    found = [0] * (len(edges) + 1)
    for value in values:
        found[sum(value >= edge for edge in edges)] += 1
    return tuple(found)


def a_certificate(draw: random.Random, **fields: object) -> Certificate:
    """Posteriors and lengths uniform, a refusal in a hundred; baselines of 1,500 requests."""
    uniform = [draw.random() for _ in range(1500)]
    lengths = [draw.random() for _ in range(1500)]
    refused = [float(draw.random() < 0.01) for _ in range(1500)]
    defaults = {
        "created": "2026-03-01",
        "expires": "2026-05-30",
        "sources": ("made-up",),
        "fitted": 1000,
        "calibrated": 1500,
        "alpha": 0.05,
        "delta": 0.1,
        "horizon": 1000,
        "method": "",
        "policy": "auto",
        "policy_hash": "",
        "reference": "big",
        "tiers": ("small",),
        "thresholds": (
            Threshold(
                traffic="", accept=0.8, rows=1500, wrong=50, bound=0.05, accepted=0.7, saving=0.6
            ),
        ),
        "combination": Combination(
            base=0.7, intercept=0.0, prior=0.0, prior_missing=0.0, gates=(), curve=SAME, rows=1000
        ),
        "baselines": (
            Baseline("posterior", TENTHS, counted(TENTHS, uniform)),
            Baseline("length", TENTHS, counted(TENTHS, lengths)),
            Baseline("refusal", (0.5,), counted((0.5,), refused)),
            Baseline("gate tokens", TENTHS, counted(TENTHS, uniform)),
            Baseline("novelty", TENTHS, counted(TENTHS, lengths)),
        ),
    }
    return Certificate(**{**defaults, **fields})  # type: ignore[arg-type]


def watching(certificate: Certificate, **fields: int) -> Watch:
    return Watch(certificate, now=lambda: NOON, **fields)


def feed(watch: Watch, draw: random.Random, requests: int, **change: object) -> Iterator[None]:
    """As usual, but for what is changed; ends when the certificate is void."""
    for _ in range(requests):
        posterior = draw.random()
        saw: dict[str, object] = {
            "posterior": posterior,
            "verdicts": {"tokens": posterior},
            "length": draw.random(),
            "refused": draw.random() < 0.01,
            "novelty": draw.random(),
        }
        saw |= {name: value(draw) if callable(value) else value for name, value in change.items()}
        watch.saw(**saw)  # type: ignore[arg-type]
        if watch.void is not None:
            return
        yield


def test_without_drift_certificates_are_voided_no_more_often_than_is_said() -> None:
    """Ninety certificates, each used for 10 windows of 500 requests."""
    draw = random.Random(7)
    voided = 0
    for _ in range(90):
        watch = watching(a_certificate(draw))
        list(feed(watch, draw, 10 * WINDOW))
        voided += watch.void is not None
    # 90 * 0.05 = 4.5 are allowed; that there are more than 9 then happens once in fifty times.
    assert FALSE_ALARM == 0.05
    assert voided <= 9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"posterior": lambda draw: draw.random() ** 2}, "the posterior runs lower"),
        ({"length": lambda draw: draw.random() ** 0.5}, "the length runs higher"),
        ({"refused": lambda draw: draw.random() < 0.08}, "the refusal"),
        ({"novelty": lambda draw: draw.random() ** 0.5}, "the novelty runs higher"),
        ({"verdicts": {"tokens": 0.55}}, "gate tokens"),
    ],
)
def test_drift_voids_within_a_few_windows_and_says_what_moved(
    change: dict[str, object], words: str
) -> None:
    draw = random.Random(3)
    watch = watching(a_certificate(draw))
    list(feed(watch, draw, 3 * WINDOW, **change))
    assert watch.void is not None
    assert words in watch.void


def test_a_drift_after_long_use_is_still_seen() -> None:
    draw = random.Random(5)
    watch = watching(a_certificate(draw))
    list(feed(watch, draw, 40 * WINDOW))
    assert watch.void is None
    list(feed(watch, draw, 3 * WINDOW, posterior=lambda draw: draw.random() ** 2))
    assert watch.void is not None


def test_what_is_void_stays_void() -> None:
    draw = random.Random(3)
    watch = watching(a_certificate(draw))
    list(feed(watch, draw, 2 * WINDOW, length=0.99))
    reason = watch.void
    for _ in range(2 * WINDOW):
        watch.saw(posterior=draw.random())
    assert watch.void == reason
    assert reason is not None


def test_less_than_a_window_says_nothing() -> None:
    watch = watching(a_certificate(random.Random(0)))
    for _ in range(WINDOW - 1):
        watch.saw(posterior=0.0)
    assert (watch.void, watch.windows) == (None, 0)


def test_figures_that_nobody_reports_are_not_held_against_the_traffic() -> None:
    draw = random.Random(0)
    watch = watching(a_certificate(draw))
    for _ in range(4 * WINDOW):
        watch.saw(posterior=draw.random())
    assert watch.windows == 4
    assert watch.void is None


def test_a_certificate_ends_after_its_last_day() -> None:
    now = [NOON]
    watch = Watch(a_certificate(random.Random(0)), now=lambda: now[0])
    assert watch.void is None
    now[0] += 89 * 86_400
    assert watch.void is None
    now[0] += 3 * 86_400
    assert watch.void == "it expired on 2026-05-30"


def test_many_watchers_share_the_false_alarms() -> None:
    certificate = a_certificate(random.Random(0))
    shifted = (85, 65, 55, 50, 50, 45, 45, 40, 35, 30)
    p = same_distribution(certificate.baselines[0].counts, shifted)
    assert 1e-7 < p < 0.004, "a shift that one watcher alone would just report"
    voids = []
    for watchers in (1, 10_000_000):
        watch = watching(certificate, watchers=watchers)
        for place, count in enumerate(shifted):
            for _ in range(count):
                watch.saw(posterior=place / 10 + 0.05)
        voids.append(watch.void)
    assert voids[0] is not None
    assert voids[1] is None


@pytest.mark.parametrize("bins", [2, 3, 10])
def test_p_values_are_below_a_level_no_more_often_than_the_level_says(bins: int) -> None:
    draw = random.Random(11)
    edges = tuple((number + 1) / bins for number in range(bins - 1))
    edges = (0.02,) if bins == 2 else edges
    low = 0
    for _ in range(600):
        one, other = (counted(edges, [draw.random() for _ in range(size)]) for size in (400, 200))
        low += same_distribution(one, other) < 0.05
    assert low <= 45  # 30 are expected of 600


@pytest.mark.parametrize(
    ("one", "other"),
    [((0, 100), (0, 50)), ((100,), (50,)), ((5, 5), (0, 0)), ((0, 0), (0, 0))],
)
def test_what_cannot_differ_does_not(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    assert same_distribution(one, other) == 1.0


def test_a_first_failure_of_what_never_failed_is_noticed_when_it_comes_often() -> None:
    assert same_distribution((0, 2000), (1, 499)) > 0.01
    assert same_distribution((0, 2000), (15, 485)) < 1e-6
