"""What of a request the providers' dialects have no words for, and who may be asked all the same.

Where every deployment speaks the client's own dialect there is nothing to find out, and the request
is not read for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from tierwise.types import Deployment, Task
from tierwise.wire.features import Lack, unsupported
from tierwise.wire.translate import CHAT, conversation_of

NO_WORD = "has no word for"


class Unsaid(Struct, frozen=True):
    """What the dialects of deployments lack for one request.

    `lacks` has them by dialect, those that lack nothing left out; `speaks` is the dialect of each
    deployment, by id. `drops` says that parameters may be left out.
    """

    lacks: Mapping[str, tuple[Lack, ...]]
    speaks: Mapping[str, str]
    drops: bool = False

    def dropped(self, deployment: str) -> tuple[str, ...]:
        """The client's names of what this deployment, by id, was not told."""
        return tuple(lack.word for lack in self._of(deployment))

    @property
    def needed(self) -> list[Lack]:
        """What must be left out, by the client, so that everybody can be asked."""
        lacks = [lack for found in self.lacks.values() for lack in found]
        return list(dict.fromkeys(lack for lack in lacks if lack.is_content or not self.drops))

    def places(self, group: Iterable[Deployment]) -> tuple[Deployment, ...]:
        """Of a model's deployments those that can be asked all of it; if there are none, those that
        can be asked what must not be left out."""
        group = tuple(group)
        whole = tuple(d for d in group if not self._of(d.id))
        return whole or tuple(d for d in group if not self._bars(d.id))

    def bars(self, group: Iterable[Deployment]) -> list[tuple[str, Lack]]:
        """Why none of these can be asked: dialects, and what each lacks that is not left out."""
        found = [(self.speaks.get(d.id, CHAT), lack) for d in group for lack in self._bars(d.id)]
        return list(dict.fromkeys(found))

    def why(self, group: Sequence[Deployment]) -> str | None:
        """The same in words; None if one of these can be asked."""
        if self.places(group):
            return None
        by_dialect: dict[str, list[str]] = {}
        for dialect, lack in self.bars(group):
            by_dialect.setdefault(dialect, []).append(str(lack))
        return ", ".join(f"{name} {NO_WORD} {', '.join(what)}" for name, what in by_dialect.items())

    def _of(self, deployment: str) -> tuple[Lack, ...]:
        return self.lacks.get(self.speaks.get(deployment, CHAT), ())

    def _bars(self, deployment: str) -> tuple[Lack, ...]:
        lacks = self._of(deployment)
        return tuple(lack for lack in lacks if lack.is_content) if self.drops else lacks


class Tongues:
    """The dialects that deployments speak. `speaks` names them by deployment id."""

    def __init__(
        self, deployments: Mapping[str, Sequence[Deployment]], speaks: Mapping[str, str]
    ) -> None:
        self._speaks = speaks
        self._of_model = {
            model: frozenset(speaks.get(d.id, CHAT) for d in group)
            for model, group in deployments.items()
        }
        self._all = frozenset[str]().union(*self._of_model.values())
        self._only = next(iter(self._all)) if len(self._all) == 1 else None

    def differ(self, task: Task) -> bool:
        """Whether anybody speaks another dialect than the task is written in."""
        return task.dialect != self._only

    def unsaid(self, task: Task, model: str | None, *, drops: bool) -> Unsaid | None:
        """What dialects lack for a task; None if none lacks anything.

        Args:
            model: the only one that may answer, if it was named.
            drops: whether parameters may be left out.

        Raises:
            InvalidRequest: the body is wrong.
        """
        others = (self._all if model is None else self._of_model[model]) - {task.dialect}
        if not others:
            return None
        asked = conversation_of(task)
        lacks = {name: tuple(unsupported(asked, name)) for name in sorted(others)}
        lacks = {name: found for name, found in lacks.items() if found}
        return Unsaid(lacks, self._speaks, drops) if lacks else None
