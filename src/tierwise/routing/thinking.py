"""Who cannot think, of those who may answer a request that says how much to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from tierwise.errors import InvalidRequest
from tierwise.routing.expressed import Tongue, Unsaid
from tierwise.types import Deployment, Model, Task
from tierwise.wire.features import Feature, Lack, features_of, word_of
from tierwise.wire.translate import CHAT, conversation_of

_ASKED: tuple[Feature, ...] = ("effort", "thinking_budget")
_THINKING = "reasoning"


class Unthinking:
    """The models that lack it, and where they are served.

    A caller who lets parameters be left out is served by them all the same, and they are not told.
    One who does not is told that a model cannot think only where the catalogue knows: of a model
    that is not in it nothing is known but that it was not said to.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        deployments: Mapping[str, Sequence[Deployment]],
        speaks: Mapping[str, Tongue],
    ) -> None:
        lacking = {name for name, model in models.items() if _THINKING not in model.capabilities}
        self._places = {name: tuple(d.id for d in deployments[name]) for name in lacking}
        self._known = frozenset(name for name in lacking if models[name].known)
        self._speaks = speaks

    def told(
        self, task: Task, unsaid: Unsaid | None, model: str | None, *, drops: bool
    ) -> Unsaid | None:
        """What deployments lack for a task, with the thinking that these cannot do.

        Args:
            unsaid: what they lack beside it.
            model: the only one that may answer, if it was named.
            drops: whether parameters may be left out.
        """
        if not task.reasoning:
            return unsaid
        unable = self._places.keys() if model is None else self._places.keys() & {model}
        if model is not None or not drops:
            unable = unable & self._known
        spared = {place for name in unable for place in self._places[name]}
        if not drops:
            # Between those who speak the same, the provider itself says what it does not take.
            spared = {place for place in spared if self._is_ours_to_say(task, place)}
        if not spared:
            return unsaid
        wishes = _wishes(task, drops=drops)
        if not wishes:
            return unsaid
        known = unsaid or Unsaid({}, self._speaks, drops)
        return replace(known, unthinking=frozenset(spared), wishes=wishes)

    def _is_ours_to_say(self, task: Task, place: str) -> bool:
        return task.dialect == CHAT or self._speaks[place].dialect != task.dialect


def _wishes(task: Task, *, drops: bool) -> tuple[Lack, ...]:
    """What a task says of thinking, by the client's names of it.

    One that leaves it to the model asks for nothing; but where it may be left out, it is.
    """
    try:
        asked = conversation_of(task)
    except InvalidRequest:
        return ()
    used = features_of(asked)
    found = [feature for feature in _ASKED if feature in used]
    if not found and drops:
        found = [_ASKED[1]]
    return tuple(Lack(one, word_of(one, asked), refused=True) for one in found)
