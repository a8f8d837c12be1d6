"""What a training step asks the caching allocator for, in order, with any number of rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from vramtop.protocol.observed.record import Input, WatchedStep
from vramtop.protocol.observed.report import Phase

from .blocks import Block, Blocks, blocks_of
from .consistency import check
from .ownership import Belonging, Sightings, belongings_of, sightings_of
from .phases import Timeline, timeline_of

_ITEM_SIZES = (1, 2, 4, 8)  # in which copies of a parameter may be


@dataclass(frozen=True)
class Course:
    """A step of a training with `inputs`, whose batch has so many `rows`.

    Each block has a place in `sizes`; first come those that the step makes. `grows` says which are
    taken to grow with the rows, where nothing else is known. `events` are the step's, in order: a
    block that is made, or `~block` where it is released. `before` are places among the events, and
    the blocks that are there from then on: 0 is before all. Of those that the step releases at an
    event of `releases_older`, the block is that which the step before made. After an event of
    `sums` an operator has added up that many rows and columns, for the gradient of a bias, and took
    no buffer for it, as it does with more rows.
    """

    inputs: tuple[Input, ...]
    rows: int
    sizes: tuple[int, ...]
    grows: tuple[bool, ...]
    events: tuple[int, ...]
    before: Mapping[int, tuple[int, ...]]
    releases_older: frozenset[int]
    sums: Mapping[int, tuple[int, int]]

    @property
    def made(self) -> int:
        """How many blocks the step makes."""
        return sum(event >= 0 for event in self.events)

    def requested(self, sizes: Sequence[int]) -> int:
        """The most bytes that a step after the first holds, its blocks being of these sizes."""
        older = sum(sizes[~self.events[place]] for place in self.releases_older)
        begin = older + sum(sizes[block] for blocks in self.before.values() for block in blocks)
        changes = (sizes[event] if event >= 0 else -sizes[~event] for event in self.events)
        return max(accumulate(changes, initial=begin))


def course_of(step: WatchedStep) -> Course | None:
    """The course of a watched step; None of a program's first one, and where there are no rows.

    Raises `NoReport` where the record contradicts itself.
    """
    check(step)
    rows = rows_of(step.inputs)
    if not rows or step.cut == 0:
        return None
    blocks, timeline = blocks_of(step), timeline_of(step)
    sightings = sightings_of(step, blocks)
    return _Reader(step, blocks, timeline, sightings).course(rows)


def rows_of(inputs: Sequence[Input]) -> int:
    """The rows of a batch: the first dimension of the first input that has one, or else 0."""
    return next((each.shape[0] for each in inputs if each.shape), 0)


class _Reader:
    def __init__(
        self, step: WatchedStep, blocks: Blocks, timeline: Timeline, sightings: Sightings
    ) -> None:
        self._step, self._timeline, self._sightings = step, timeline, sightings
        self._belongings = belongings_of(step, blocks, timeline, sightings)
        self._events = blocks.of_event[step.cut :]
        alive = [block for block in blocks if block.alive_at(step.cut)]
        self._older = sorted(alive, key=lambda block: (block.birth or -1, block.address))
        self._parameters = {
            block.size // name.itemsize * size
            for block, seen in sightings.items()
            for sighting in seen
            if sighting.owner == "parameters"
            for name in (step.names[sighting.name],)
            for size in _ITEM_SIZES
        }

    def course(self, rows: int) -> Course:
        made = [block for number, block in enumerate(self._events) if self._makes(block, number)]
        partners = self._partners(made)
        # An older one that is released and has no partner counts as if the program kept it.
        kept = [block for block in self._older if block not in partners]
        places = {block: place for place, block in enumerate((*made, *kept))}
        events: list[int] = []
        releases_older = set()
        counted = []  # how many events count before each one
        for number, block in enumerate(self._events):
            counted.append(len(events))
            if self._makes(block, number):
                events.append(places[block])
            elif block in partners:
                releases_older.add(len(events))
                events.append(~places[partners[block]])
            elif block.birth is not None and block.birth >= self._step.cut:
                events.append(~places[block])
        sums = {
            place: found
            for place, event in enumerate(events)
            if event >= 0 and (found := self._sum(made[event], rows)) and not _buffer(events, place)
        }
        before: dict[int, list[int]] = defaultdict(list)
        for block in kept:
            begin = self._begin(block)
            before[counted[begin] if begin < len(counted) else 0].append(places[block])
        return Course(
            inputs=self._step.inputs,
            rows=rows,
            sizes=tuple(block.size for block in (*made, *kept)),
            grows=tuple(self._grows(block, rows) for block in (*made, *kept)),
            events=tuple(events),
            before={place: tuple(each) for place, each in before.items()},
            releases_older=frozenset(releases_older),
            sums=sums,
        )

    def _makes(self, block: Block, number: int) -> bool:
        """Whether this event of the second period makes the block."""
        return block.birth == self._step.cut + number

    def _partners(self, made: Iterable[Block]) -> dict[Block, Block]:
        """For each older block that is released, the one that the step makes and leaves instead."""
        left: dict[Belonging, list[Block]] = defaultdict(list)
        for block in made:
            if block.release is None:
                left[self._belongings[block]].append(block)
        partners = {}
        for block in self._older:
            alike = left[self._belongings[block]]
            if block.release is not None and alike:
                partners[block] = alike.pop(0)
        return partners

    def _begin(self, block: Block) -> int:
        """The event before which a block that is kept comes to be, in the first step; 0 is before.

        The optimizer's state, and gradients that are kept, are older than a watched step, but the
        first step makes them.
        """
        phases: dict[Belonging, Phase] = {
            "gradients": "backward", "optimizer_state": "optimizer", "workspace": "forward",
        }  # fmt: skip
        phase = phases.get(self._belongings[block])
        for stretch in self._timeline.watched if phase else ():
            if stretch.phase == phase:
                return stretch.begin - self._step.cut
        return 0

    def _sum(self, bias: Block, rows: int) -> tuple[int, int] | None:
        """The rows and columns that make the gradient of a bias; None for another block.

        What is added up is alive then: of what could be it, it is the smallest.
        """
        names = [
            self._step.names[each.name]
            for each in self._sightings.get(bias, ())
            if each.owner == "gradients"
        ]
        if not names or len(names[0].shape) != 1 or bias.birth is None:
            return None
        could_be = [
            block.size // bias.size
            for block in self._events
            if block.birth is not None
            and block.birth < bias.birth
            and block.alive_at(bias.birth)
            and block.size % (bias.size * rows) == 0
        ]
        return (min(could_be), names[0].shape[0]) if could_be else None

    def _grows(self, block: Block, rows: int) -> bool:
        """Whether it is taken to grow with the rows of the batch.

        Batch data, activations, and temporaries of forward and backward are, but not the copy of a
        parameter, which has another size than any number of rows.
        """
        belonging = self._belongings[block]
        if belonging == "batch_data":
            return block.release is not None or block.birth is not None or self._whole(block)
        if block.size in self._parameters and block.size % rows:
            return False
        if belonging == "temporaries":
            stretch = None if block.birth is None else self._timeline.at(block.birth)
            return stretch is None or stretch.phase in ("forward", "backward")
        return belonging == "activations"

    def _whole(self, block: Block) -> bool:
        """Whether a batch that is older takes all of its memory, so that it is not a data set."""
        names = [self._step.names[each.name] for each in self._sightings.get(block, ())]
        return not all(name.view for name in names)


def _buffer(events: Sequence[int], place: int) -> bool:
    """Whether an operator takes a buffer there: it is made next, and released soon after."""
    following = events[place + 1 : place + 5]
    return bool(following) and following[0] >= 0 and ~following[0] in following
