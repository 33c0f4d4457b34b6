"""What of a request those who may answer cannot be asked, and who may be asked all the same.

A provider's dialect may have no words for it, or whoever serves the model does not take it. Where
every deployment speaks the client's own dialect and takes all of it there is nothing to find out,
and the request is not read for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from tierwise.errors import InvalidRequest
from tierwise.types import Deployment, Task
from tierwise.wire.chat.refused import words_of
from tierwise.wire.conversation import Conversation
from tierwise.wire.features import NOTHING_REFUSED, Lack, unsupported
from tierwise.wire.translate import CHAT, conversation_of

NO_WORD = "has no word for"
DOES_NOT_TAKE = "does not take"
NO_LACKS: Mapping[str, frozenset[str]] = {}


class Tongue(NamedTuple):
    """A dialect, and what of it whoever speaks it does not take."""

    dialect: str = CHAT
    lacks: frozenset[str] = NOTHING_REFUSED


_PLAIN = Tongue()


class Unsaid(Struct, frozen=True):
    """What deployments lack for one request.

    `lacks` has it by tongue, those that lack nothing left out; `speaks` is the tongue of each
    deployment, by id. `drops` says that parameters may be left out. `unthinking` are the
    deployments, by id, whose models cannot think as `wishes` say.
    """

    lacks: Mapping[Tongue, tuple[Lack, ...]]
    speaks: Mapping[str, Tongue]
    drops: bool = False
    unthinking: frozenset[str] = frozenset()
    wishes: tuple[Lack, ...] = ()

    def spares(self, deployment: str) -> bool:
        """Whether this deployment, by id, is asked without a word of thinking."""
        return self.drops and deployment in self.unthinking

    def dropped(self, deployment: str) -> tuple[str, ...]:
        """The client's names of what this deployment, by id, was not told."""
        return tuple(dict.fromkeys(lack.word for lack in self._of(deployment)))

    @property
    def needed(self) -> list[Lack]:
        """What must be left out, by the client, so that everybody can be asked."""
        lacks = [lack for found in (*self.lacks.values(), self.wishes) for lack in found]
        barring = [lack for lack in lacks if lack.is_content or not self.drops]
        return list({(lack.feature, lack.word): lack for lack in barring}.values())

    def places(self, group: Iterable[Deployment]) -> tuple[Deployment, ...]:
        """Of a model's deployments those that can be asked all of it; if there are none, those that
        can be asked what must not be left out."""
        group = tuple(group)
        whole = tuple(d for d in group if not self._of(d.id))
        return whole or tuple(d for d in group if not self._bars(d.id))

    def bars(self, group: Iterable[Deployment]) -> list[tuple[str, Lack]]:
        """Why none of these can be asked: what each lacks that is not left out, and who it is, a
        dialect or the deployment alone."""
        found = [
            (d.id if lack.refused else self.speaks.get(d.id, _PLAIN).dialect, lack)
            for d in group
            for lack in self._bars(d.id)
        ]
        return list(dict.fromkeys(found))

    def why(self, group: Sequence[Deployment]) -> str | None:
        """The same in words; None if one of these can be asked."""
        if self.places(group):
            return None
        found: dict[tuple[str, str], list[str]] = {}
        for who, lack in self.bars(group):
            how = DOES_NOT_TAKE if lack.refused else NO_WORD
            found.setdefault((who, how), []).append(str(lack))
        return ", ".join(f"{who} {how} {', '.join(what)}" for (who, how), what in found.items())

    def _of(self, deployment: str) -> tuple[Lack, ...]:
        lacks = self.lacks.get(self.speaks.get(deployment, _PLAIN), ())
        if deployment not in self.unthinking:
            return lacks
        known = {lack.feature for lack in lacks}
        return (*lacks, *(wish for wish in self.wishes if wish.feature not in known))

    def _bars(self, deployment: str) -> tuple[Lack, ...]:
        lacks = self._of(deployment)
        return tuple(lack for lack in lacks if lack.is_content) if self.drops else lacks


class Tongues:
    """The dialects that deployments speak, and what of them they do not take.

    What a deployment does not take of its own dialect is its provider's to say, but for OpenAI's
    chat: many speak that, each a part of it, so that its callers are not to know whom they ask.

    Args:
        deployments: those of each model.
        speaks: their dialects, by id; OpenAI's chat where it has none.
        lacks: the features that they do not take, by id.

    `speaks` is the tongue of each deployment, by id.
    """

    def __init__(
        self,
        deployments: Mapping[str, Sequence[Deployment]],
        speaks: Mapping[str, str],
        lacks: Mapping[str, frozenset[str]] = NO_LACKS,
    ) -> None:
        self.speaks = {
            d.id: Tongue(speaks.get(d.id, CHAT), lacks.get(d.id, NOTHING_REFUSED))
            for group in deployments.values()
            for d in group
        }
        self._of_model = {
            model: frozenset(self.speaks[d.id] for d in group)
            for model, group in deployments.items()
        }
        self._all = frozenset[Tongue]().union(*self._of_model.values())
        self._refused = {
            one: words_of(one.lacks) for one in self._all if one.dialect == CHAT and one.lacks
        }
        self._only = self._only_dialect(self._all)
        self._only_of = {
            model: self._only_dialect(tongues) for model, tongues in self._of_model.items()
        }

    def _only_dialect(self, tongues: Collection[Tongue]) -> str | None:
        """The dialect that all of these speak, all of it; None if they differ."""
        dialects = {tongue.dialect for tongue in tongues}
        whole = self._refused.keys().isdisjoint(tongues)
        return dialects.pop() if len(dialects) == 1 and whole else None

    def differ(self, task: Task, model: str | None = None) -> bool:
        """Whether there may be anybody who cannot be asked all of a task.

        Args:
            model: the only one that may answer, if it was named.
        """
        return task.dialect != (self._only if model is None else self._only_of[model])

    def unsaid(self, task: Task, model: str | None, *, drops: bool) -> Unsaid | None:
        """What deployments lack for a task; None if none lacks anything.

        Args:
            model: the only one that may answer, if it was named.
            drops: whether parameters may be left out.

        Raises:
            InvalidRequest: the body is wrong, and somebody speaks another dialect.
        """
        tongues = self._all if model is None else self._of_model[model]
        others = [tongue for tongue in tongues if self._may_lack(tongue, task)]
        if not others:
            return None
        asked = _read(task, others)
        if asked is None:
            return None
        found = {
            tongue: tuple(unsupported(asked, *tongue))
            for tongue in sorted(others, key=lambda one: (one.dialect, sorted(one.lacks)))
        }
        lacks = {tongue: lacks for tongue, lacks in found.items() if lacks}
        return Unsaid(lacks, self.speaks, drops) if lacks else None

    def _may_lack(self, tongue: Tongue, task: Task) -> bool:
        if tongue.dialect != task.dialect:
            return True
        refused = self._refused.get(tongue)
        return refused is not None and refused.may_be_in(task)


def _read(task: Task, others: Collection[Tongue]) -> Conversation | None:
    """What a task asks; None if only providers of its own dialect want to know, who may understand
    what is not understood here."""
    try:
        return conversation_of(task)
    except InvalidRequest:
        if any(tongue.dialect != task.dialect for tongue in others):
            raise
        return None
