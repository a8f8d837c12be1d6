"""What if modules were computed again in backward (gradient checkpointing)?

What a module makes in forward and keeps for backward would go at its end, and come again when
backward reaches it. The step would hold the new peak at most. Each call of the module returns one
tensor, so it hands on no more than one of those that it needs for its own backward; the step does
not tell which:

- The largest of these stays, since it may be that one. So do all that only later modules keep, and
  copies that autocast may have made of its parameters.
- What was alive when it began, and is released before its backward is over, may be its input, and
  stays until then.
- Backward reaches it after all is released that later modules keep, and forward has run again
  before the first release of what the module itself keeps. Meanwhile it has what it holds at its
  own highest point.

Modules of one class whose paths differ only in numbers are taken together. Left out are those that
may have been called more than once in a forward, that return several tensors, that keep something
beyond backward, that are checkpointed already, or that run under FSDP, whose gathered parameters
look like activations.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

from vramtop.protocol.observed.record import Module

from .blocks import Block
from .changed import Change, Idea, Recorded, bytes_of
from .phases import Stretch

_TRIED, _TOLD = 8, 3  # groups of modules, those that keep most
_LEAST_SHARE = 100  # one part in so many of the peak is to be kept in a group
_SHARDED = ("FSDP", "FullyShardedDataParallel")


class _Span(NamedTuple):
    """The events with which a module begins, and releases the last that it keeps.

    Its inputs would stay to the place `until`.
    """

    begun: int
    over: int
    until: int


class _Unknown(Exception):
    """What checkpointing would do to a module cannot be told."""


class _Group(NamedTuple):
    """Modules of one class whose paths differ only in numbers, which are stars in `path`."""

    path: str
    kind: str


def checkpointed(recorded: Recorded) -> Iterator[Idea]:
    """The groups of modules with which the peak would be lowest."""
    modules = recorded.step.modules
    if any(module.kind.startswith(_SHARDED) for module in modules):
        return
    again = {modules[number].path for number in recorded.step.recomputed}
    single = {modules[number].path for number in recorded.step.single} - again
    group_of = {module.path: _group(module) for module in modules}
    passes = _passes(recorded)
    kept, groups = Counter[_Group](), defaultdict[_Group, set[str]](set)
    for each in passes:
        for path in each.made:
            groups[group_of[path]].add(path)
            kept[group_of[path]] += sum(block.size for block in each.kept_by(path))
    least = max(recorded.curve) // _LEAST_SHARE
    ideas = []
    for group, size in kept.most_common(_TRIED):
        if size < least:
            break
        if not groups[group] <= single:
            continue
        try:
            changes = [change for each in passes for change in each.without(groups[group])]
        except _Unknown:
            continue
        ideas.append(_idea(group, groups[group], changes))
    ideas.sort(key=lambda idea: max(recorded.with_(idea.changes)))
    yield from ideas[:_TOLD]


def _group(module: Module) -> _Group:
    parts = module.path.split(".")
    return _Group(".".join("*" if part.isdigit() else part for part in parts), module.kind)


def _idea(group: _Group, paths: Collection[str], changes: Sequence[Change]) -> Idea:
    alike = f"{group.path}, {len(paths)} × {group.kind}"
    what = alike if len(paths) > 1 else next(iter(paths))
    return Idea(
        f"checkpointing of {what}",
        "checkpoint(module, inputs, use_reentrant=False)",
        "at_most",
        changes,
    )


def _around(path: str) -> Iterator[str]:
    """The paths of all modules around a module or a parameter, but for the outermost one."""
    while path := path.rpartition(".")[0]:
        yield path


def _passes(recorded: Recorded) -> list[_Pass]:
    """The calls of the second period that lead to a backward."""
    ends = [mark.place for mark in recorded.step.marks if mark.kind == "backward_end"]
    backwards = [each.begin for each in recorded.timeline.watched if each.since.kind == "backward"]
    copies, passing = _copies(recorded), recorded.of("batch_data", "activations", "temporaries")
    passes = []
    for stretch in recorded.timeline.watched:
        following = bisect_left(backwards, stretch.end)
        if stretch.called and following < len(backwards):
            backward = backwards[following]
            end = next((place for place in ends if place >= backward), backward)
            passes.append(_Pass(recorded, stretch, (backward, end), copies, passing))
    return passes


def _copies(recorded: Recorded) -> defaultdict[str, Counter[int]]:
    """For each module, the sizes of copies that autocast may make of its parameters."""
    copies = defaultdict[str, Counter[int]](Counter)
    for name in recorded.names("parameters").values():
        if name.dtype == "float32":
            for path in _around(name.path):
                copies[path][bytes_of(name) // 2] += 1
    return copies


class _Pass:
    """An outermost call, or a part of one, up to the end of the backward that comes next.

    `made` has the places in `births` of all that was made in each module and in those within it.
    """

    def __init__(
        self,
        recorded: Recorded,
        call: Stretch,
        backward: tuple[int, int],
        copies: Mapping[str, Counter[int]],
        passing: Sequence[Block],
    ) -> None:
        self._recorded, self._call, self._copies = recorded, call, copies
        self._backward, self._end = begin, end = backward
        of_event = recorded.blocks.of_event
        self._births = [
            of_event[number]
            for number in range(call.begin, begin)
            if of_event[number].birth == number
        ]
        self.made = self._made()
        released = [block.release if self._keeps(block) else None for block in self._births]
        in_backward = [
            place if place is not None and begin <= place < end else begin - 1 for place in released
        ]
        # The last release in backward of anything that is born at this place or later.
        self._last_release = [*accumulate(reversed(in_backward), max)][::-1]
        self._releases = sorted(in_backward)
        self._passing = [
            block
            for block in passing
            if block.release is not None and call.begin <= block.release < end
        ]

    def kept_by(self, path: str) -> list[Block]:
        """The activations that were made in a module."""
        births = (self._births[place] for place in self.made.get(path, ()))
        return [block for block in births if self._keeps(block)]

    def without(self, paths: Iterable[str]) -> list[Change]:
        """What changes if these modules are checkpointed. Raises `_Unknown`."""
        changes, spans = [], []
        for path in paths:
            kept = self.kept_by(path)
            if kept:
                changes += self._without(path, kept)
                spans.append(self._span(path, kept))
        return changes + list(self._inputs(sorted(spans)))

    def _without(self, path: str, kept: Sequence[Block]) -> list[Change]:
        places = self.made[path]
        over = places[-1] + 1
        later = over < len(self._births)
        ended = self._births[over].birth if later else self._backward
        reached = self._last_release[over] if later else self._backward - 1
        releases = {block: block.release for block in kept if block.release is not None}
        again = {block: place for block, place in releases.items() if place > reached}
        lasts = len(releases) < len(kept) or max(releases.values()) >= self._end
        if ended is None or lasts or not again or not self._runs_once(places):
            raise _Unknown
        more = self._highest(places) - sum(block.size for block in again)
        return [
            Change(ended + 1, reached, -self._gone(path, again)),
            Change(reached + 1, min(again.values()), more),
        ]

    def _runs_once(self, places: Sequence[int]) -> bool:
        """Whether these births are one call of a module, as far as can be told."""
        modules = [self._births[place].module for place in places]
        visits = Counter(module for module, _ in groupby(modules))
        together = places[-1] - places[0] + 1 == len(places)
        whole = self._call.since.kind == "call" and self._call.until.kind == "call_end"
        return whole and together and len(visits) > 1 and min(visits.values()) == 1

    def _gone(self, path: str, again: Iterable[Block]) -> int:
        """Of these, the bytes that go for certain when the module ends."""
        sizes = Counter(block.size for block in again) - self._copies.get(path, Counter())
        return sum(sizes.elements()) - max(sizes, default=0)

    def _highest(self, places: Sequence[int]) -> int:
        """The most bytes that a module has of what it makes, while it runs."""
        own = {self._births[place] for place in places}
        ended = self._births[places[-1]].birth
        begun = self._births[places[0]].birth
        assert begun is not None
        assert ended is not None
        sizes = self._recorded.step.events.sizes
        of_event = self._recorded.blocks.of_event
        changes = (sizes[at] for at in range(begun, ended + 1) if of_event[at] in own)
        return max(accumulate(changes))

    def _span(self, path: str, kept: Sequence[Block]) -> _Span:
        over = max(block.release or 0 for block in kept)
        # Its first operator may keep nothing but inputs: the next release is theirs.
        following = bisect_right(self._releases, over) + 1
        until = self._releases[following] if following < len(self._releases) else self._end
        return _Span(self._births[self.made[path][0]].birth or 0, over, until)

    def _inputs(self, spans: Sequence[_Span]) -> Iterator[Change]:
        """What stays longer since it may be a module's input."""
        begins = [span.begun for span in spans]
        for block in self._passing:
            born, gone = block.birth, block.release
            assert gone is not None
            since = 0 if born is None else bisect_right(begins, born)
            alive_at = spans[since : bisect_right(begins, gone)]
            until = max((span.until for span in alive_at if gone <= span.over), default=gone)
            yield Change(gone + 1, until, block.size)

    def _keeps(self, block: Block) -> bool:
        """Whether it is an activation."""
        return self._recorded.belongings[block] == "activations"

    def _made(self) -> dict[str, list[int]]:
        modules = self._recorded.step.modules
        called = {module.path for module in modules} - {""}
        made = defaultdict[str, list[int]](list)
        for place, block in enumerate(self._births):
            if block.module < 0 or block.birth is None or block.birth >= self._call.end:
                continue
            path = modules[block.module].path
            for module in (path, *_around(path)):
                if module in called:
                    made[module].append(place)
        return dict(made)
