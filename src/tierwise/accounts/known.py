"""Whether there is what a key is to be allowed."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from tierwise.config import Setup
from tierwise.errors import InvalidRequest


def check_known(
    setup: Setup,
    models: Collection[str],
    policies: Collection[str],
    *,
    shown: Setup | None = None,
) -> None:
    """Refuses what nobody could ever ask for; else a slip of the pen would show only in use.

    Args:
        shown: what whoever makes the key may be told of; None: all.

    Raises:
        InvalidRequest: a model or a policy is none that is configured.
    """
    told = shown or setup
    for field, names, known, near in (
        (
            "models",
            models,
            {*setup.models, *setup.embeddings},
            {*told.models, *told.embeddings},
        ),
        ("policies", policies, {*setup.policies}, {*told.policies}),
    ):
        for name in names:
            if name not in known:
                meant = difflib.get_close_matches(name, near, n=3) or sorted(near)[:5]
                raise InvalidRequest(
                    f"`{field}` has {name!r}, which is none that is configured. Did you mean "
                    f"{', '.join(meant) or 'none'}?",
                    param=field,
                )
