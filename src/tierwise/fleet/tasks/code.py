"""Small Python functions, with tests in the prompt.

No answer is ever executed: the only programs that a simulated model writes are the ones listed
here, so an answer is compared with them. Our own tests run every one of them against its cases.
"""

from __future__ import annotations

import random
import re

from msgspec import Struct

from tierwise.fleet.tasks.base import Task, ask


class Exercise(Struct, frozen=True):
    """A function to be written. `NAME` and `K` are filled in each time.

    `cases` are pairs of arguments and result as Python source; `programs` the right one first,
    then wrong ones, each of which fails at least one case. `difficulty` in [0, 1].
    """

    about: str
    cases: tuple[tuple[str, str], ...]
    programs: tuple[str, ...]
    difficulty: float
    ks: tuple[int, ...] = (0,)


EXERCISES = (
    Exercise(
        "returns the numbers of a list that are greater than K, in their order",
        (("[K, K + 1, K - 1, K + 9]", "[K + 1, K + 9]"), ("[]", "[]")),
        (
            "def NAME(items):\n    return [item for item in items if item > K]",
            "def NAME(items):\n    return [item for item in items if item >= K]",
            "def NAME(items):\n    return sorted(item for item in items if item > K)[1:]",
        ),
        0.1,
        tuple(range(3, 40)),
    ),
    Exercise(
        "returns the number of vowels in a text, in either case, times K",
        (("'Area'", "3 * K"), ("'xyz'", "0")),
        (
            "def NAME(text):\n    return K * sum(c in 'aeiou' for c in text.lower())",
            "def NAME(text):\n    return K * sum(c in 'aeiou' for c in text)",
            "def NAME(text):\n    return K * len(set(text.lower()) & set('aeiou'))",
        ),
        0.15,
        tuple(range(1, 30)),
    ),
    Exercise(
        "splits a list into chunks of K items, the last one possibly shorter",
        (
            ("list(range(2 * K + 1))", "[list(range(K)), list(range(K, 2 * K)), [2 * K]]"),
            ("[]", "[]"),
        ),
        (
            "def NAME(items):\n    return [items[i : i + K] for i in range(0, len(items), K)]",
            "def NAME(items):\n    return [items[i : i + K] for i in range(0, len(items) - K, K)]",
            "def NAME(items):\n    return [items[i : i + K] for i in range(0, len(items), K - 1)]",
        ),
        0.3,
        tuple(range(3, 30)),
    ),
    Exercise(
        "shifts every small letter of a text by K places in the alphabet, round the end, and "
        "leaves all else alone",
        (
            ("'z!'", "chr((25 + K) % 26 + 97) + '!'"),
            ("'aB'", "chr(K % 26 + 97) + 'B'"),
        ),
        (
            "def NAME(text):\n    return ''.join(\n        chr((ord(c) - 97 + K) % 26 + 97) if "
            "'a' <= c <= 'z' else c for c in text\n    )",
            "def NAME(text):\n    return ''.join(\n        chr(ord(c) + K) if 'a' <= c <= 'z' "
            "else c for c in text\n    )",
            "def NAME(text):\n    return ''.join(chr((ord(c) - 97 + K) % 26 + 97) for c in text)",
        ),
        0.45,
        tuple(range(1, 26)),
    ),
    Exercise(
        "returns the K-th largest distinct number of a list, or None if there are fewer",
        (
            ("[5] * 3 + list(range(K))", "sorted({5, *range(K)})[-K]"),
            ("[1]", "1 if K == 1 else None"),
            ("list(range(K)) + [K - 1]", "0"),
        ),
        (
            "def NAME(items):\n    ranked = sorted(set(items), reverse=True)\n"
            "    return ranked[K - 1] if len(ranked) >= K else None",
            "def NAME(items):\n    ranked = sorted(items, reverse=True)\n"
            "    return ranked[K - 1] if len(ranked) >= K else None",
            "def NAME(items):\n    ranked = sorted(set(items))\n"
            "    return ranked[K - 1] if len(ranked) >= K else None",
        ),
        0.55,
        tuple(range(2, 12)),
    ),
    Exercise(
        "merges two sorted lists into one sorted list and leaves out numbers divisible by K",
        (
            ("[1, K, K + 1], [2 * K, 2 * K + 1]", "[1, K + 1, 2 * K + 1]"),
            ("[1], [1]", "[1, 1]"),
        ),
        (
            "def NAME(left, right):\n    return sorted(n for n in left + right if n % K)",
            "def NAME(left, right):\n    return [n for n in left + right if n % K == 0]",
            "def NAME(left, right):\n    return sorted({n for n in left + right if n % K})",
        ),
        0.5,
        tuple(range(2, 30)),
    ),
    Exercise(
        "returns the length of the longest run of equal items in a list, but at most K",
        (("[1, 1, 2]", "min(2, K)"), ("[]", "0"), ("[7] * (K + 3)", "K"), ("[1, 2, 2]", "2")),
        (
            "def NAME(items):\n    best = run = 0\n    for i, item in enumerate(items):\n"
            "        run = run + 1 if i and item == items[i - 1] else 1\n"
            "        best = max(best, run)\n    return min(best, K)",
            "def NAME(items):\n    best = run = 0\n    for i, item in enumerate(items):\n"
            "        run = run + 1 if i and item == items[i - 1] else 0\n"
            "        best = max(best, run)\n    return min(best, K)",
            "def NAME(items):\n    return min(K, max((items.count(i) for i in items), default=0) "
            "+ 1)",
        ),
        0.7,
        tuple(range(2, 40)),
    ),
    Exercise(
        "returns how many ways there are to climb n stairs taking 1 to K at a time",
        (("0", "1"), ("1", "1"), ("2", "2"), ("K + 1", "2 ** K - 1")),
        (
            "def NAME(n):\n    ways = [1]\n    for stair in range(1, n + 1):\n"
            "        ways.append(sum(ways[max(0, stair - K) : stair]))\n    return ways[n]",
            "def NAME(n):\n    ways = [1]\n    for stair in range(1, n + 1):\n"
            "        ways.append(sum(ways[max(0, stair - K + 1) : stair]) or 1)\n"
            "    return ways[n]",
            "def NAME(n):\n    return 2 ** (n - 1) if n else 1",
        ),
        0.85,
        tuple(range(2, 12)),
    ),
)
_VERBS = ("pick", "scan", "fold", "trace", "weigh", "sift", "march", "carve", "probe", "rank")
_THINGS = ("items", "rows", "signals", "words", "units", "nodes", "marks", "steps", "cells")
_FENCE = re.compile(r"```(?:python)?\n(.*?)```", re.DOTALL)


def make(rng: random.Random, number: int) -> Task:
    """A function with its tests; how hard it is depends on the function."""
    exercise = EXERCISES[number % len(EXERCISES)]
    name = f"{rng.choice(_VERBS)}_{rng.choice(_THINGS)}_{number}"
    k = rng.choice(exercise.ks)
    tests = "\n".join(
        f"assert {name}({fill(given, name, k)}) == {fill(result, name, k)}"
        for given, result in exercise.cases
    )
    programs = [fill(program, name, k) for program in exercise.programs]
    return Task(
        request=ask(
            f"Write a Python function `{name}` that {fill(exercise.about, name, k)}. "
            f"It must pass these tests:\n\n```python\n{tests}\n```\n\nReply with the code only."
        ),
        kind="code",
        domain="code",
        difficulty=min(0.95, exercise.difficulty + rng.uniform(0, 0.08)),
        right=_fenced(programs[0]),
        wrong=tuple(_fenced(program) for program in programs[1:]),
        check=lambda answer: _score(answer, programs),
        strict=True,
    )


def fill(source: str, name: str, k: int) -> str:
    """Source with the name and the number of one task."""
    return re.sub(r"\bK\b", str(k), source.replace("NAME", name))


def _fenced(program: str) -> str:
    return f"```python\n{program}\n```"


def _score(answer: str, programs: list[str]) -> float | None:
    """1 for the right program, 0 for a known wrong one, a piece of one or none at all.

    Nobody can tell about any other program, which would have to be run for that.
    """
    found = _FENCE.search(answer)
    program = (found[1] if found else answer.replace("```python\n", "")).strip()
    if program in programs:
        return float(program == programs[0])
    is_piece = any(whole.startswith(program) for whole in programs)
    return 0.0 if is_piece or "def " not in program else None
