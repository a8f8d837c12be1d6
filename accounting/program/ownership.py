"""Whose each life is.

A sighting says that at a place the memory at an address belongs to somebody. It holds for the life
that the address lies in there, from birth to release. In this order:

1. `parameters`, `optimizer_state`, `gradients`: what was sighted so, the first of these that fits.
2. `batch_data`: what was sighted as a batch and not made inside a call; what was made in `load` and
   is still there when the next call of its period begins; between two calls that lead to a
   backward, what was made after a part of the second one's batch and is still there when it
   begins; and what was fetched ahead between a call and its backward. The latter is still there
   when the next call begins, and its line made something else there that went into a call.
3. `activations`: made by forward, the loss included, and alive when the next backward begins.
4. `temporaries`: what else was made in the window. This includes what checkpointing computes again
   inside a backward. In inference, where no backward comes, it is all that forward makes, the
   output too.
5. `other`: nobody's, and older than the watched step.

A life of the first period that is still nobody's at the window's end is `other`: two periods have
passed and the program keeps it. One that is released in the second period stays what it was in the
first, as a loss or an output does that its variable holds until the next one overwrites it. For the
same reason a life that is kept counts as a batch only if it went into a call of the second period.

`workspace` is memory of cuBLAS: it would be `other`, is never released, has exactly a workspace's
size, and no tensor lies in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal, TypeAlias

from vramtop.protocol.observed.record import Owner, Sighting, WatchedStep
from vramtop.protocol.split import Category

from .lives import Life, Lives
from .phases import Stretch, Timeline

Belonging: TypeAlias = Category | Literal["workspace"]
Sightings: TypeAlias = dict[Life, list[Sighting]]

_HOLDERS: tuple[Owner, ...] = ("parameters", "optimizer_state", "gradients")


def sightings_of(step: WatchedStep, lives: Lives) -> Sightings:
    """What was sighted in each life; what lies in no block is left out."""
    found: Sightings = {}
    for sighting in step.sightings:
        life = lives.at(sighting.address, sighting.place)
        if life is not None:
            found.setdefault(life, []).append(sighting)
    return found


def belongings_of(
    step: WatchedStep, lives: Lives, timeline: Timeline, sightings: Sightings
) -> dict[Life, Belonging]:
    """Whose each life is."""
    judge = _Judge(step, lives, timeline, sightings)
    return {life: judge.belonging(life) for life in lives}


class _Judge:
    def __init__(
        self,
        step: WatchedStep,
        lives: Lives,
        timeline: Timeline,
        sightings: Sightings,
    ) -> None:
        self._cut = step.cut
        calls = [each.begin for each in timeline.watched if each.since.kind == "call"]
        self._watched_call = calls[0] if calls else None
        self._timeline = timeline
        self._sightings = sightings
        self._calls = [mark.place for mark in step.marks if mark.kind == "call"]
        self._backwards = [mark.place for mark in step.marks if mark.kind == "backward"]
        self._workspace_sizes = frozenset(step.workspace_sizes)
        end = len(lives.of_event)
        self._with_tensors = {lives.at(address, end) for address in step.tensors}
        fetched = [
            life for life in sightings if self._made_after_call(life) and self._went_into_call(life)
        ]
        self._fetching_lines = {life.line for life in fetched if life.line >= 0}
        self._fetching_since: dict[Stretch, int] = {}
        for life in fetched:
            stretch = self._birth(life)
            if stretch is not None and life.birth is not None:
                since = self._fetching_since.setdefault(stretch, life.birth)
                self._fetching_since[stretch] = min(since, life.birth)

    def belonging(self, life: Life) -> Belonging:
        owners = {sighting.owner for sighting in self._sightings.get(life, ())}
        for owner in _HOLDERS:
            if owner in owners:
                return owner
        stretch = self._birth(life)
        if self._went_into_call(life) and not (stretch is not None and stretch.called):
            return "batch_data"
        if stretch is None or self._kept(life):
            return "workspace" if self._is_workspace(life) else "other"
        if stretch.phase == "load" and stretch.before_call:
            return "batch_data" if _lasts_until(life, self._calls) else "temporaries"
        if stretch.phase != "forward":
            return "temporaries"
        if not stretch.called and (self._fetched_ahead(life) or self._fetched_along(life, stretch)):
            return "batch_data"
        return "activations" if _lasts_until(life, self._backwards) else "temporaries"

    def _birth(self, life: Life) -> Stretch | None:
        """The stretch in which it was made, None if it is older than the window."""
        return None if life.birth is None else self._timeline.at(life.birth)

    def _kept(self, life: Life) -> bool:
        """Whether the program keeps it from the first period beyond the second."""
        return life.release is None and (life.birth is None or life.birth < self._cut)

    def _went_into_call(self, life: Life) -> bool:
        """Whether it was sighted as a batch, of the second period if the program keeps it."""
        since = self._watched_call if self._kept(life) else 0
        return since is not None and any(
            sighting.owner == "batch_data" and sighting.place >= since
            for sighting in self._sightings.get(life, ())
        )

    def _made_after_call(self, life: Life) -> bool:
        """Whether it was made by forward outside the calls: between two, or before backward."""
        stretch = self._birth(life)
        return stretch is not None and stretch.phase == "forward" and not stretch.called

    def _fetched_ahead(self, life: Life) -> bool:
        """Whether its line fetches batches, and it awaits a call, of this window or a later one."""
        awaits = life.release is None or _lasts_until(life, self._calls)
        return awaits and life.line in self._fetching_lines

    def _fetched_along(self, life: Life, stretch: Stretch) -> bool:
        """Whether it was made after a part of the batch of the call that comes next."""
        since = self._fetching_since.get(stretch)
        return (
            stretch.until.kind == "call"
            and since is not None
            and life.birth is not None
            and life.birth >= since
            and life.alive_at(stretch.end)
        )

    def _is_workspace(self, life: Life) -> bool:
        return (
            life.release is None
            and life.size in self._workspace_sizes
            and life not in self._with_tensors
        )


def _lasts_until(life: Life, places: Sequence[int]) -> bool:
    """Whether it is alive at the first of these places that comes after its birth."""
    assert life.birth is not None
    following = bisect_right(places, life.birth)
    return following < len(places) and life.alive_at(places[following])
