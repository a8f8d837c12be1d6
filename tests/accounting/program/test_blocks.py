"""Blocks of blocks, from events and from what is alive at the end."""

from __future__ import annotations

import msgspec
import pytest
from fake import BLOCK, FakeProgram
from vramtop.accounting.program.blocks import Block, blocks_of
from vramtop.accounting.program.consistency import NoReport
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import Events, Mark, WatchedStep


def test_older_memory_has_the_line_that_its_block_has_at_the_end() -> None:
    program = FakeProgram()
    released, held = program.hold(8), program.hold(16)
    program.period()
    program.give(released)
    again = program.take(32, "train.py:1")
    assert again == released
    program.period()
    program.period()
    step = program.record(lines=("train.py:1", "model.py:2"))
    assert [address for address, _ in step.blocks] == [held, again]
    blocks = blocks_of(msgspec.structs.replace(step, block_lines=(1, -1)))
    assert [(block.size, block.line) for block in blocks] == [(16, 1), (8, -1), (32, 0)]


def facts(block: Block) -> tuple[int, int | None, int | None]:
    return block.size, block.birth, block.release


def with_events(step: WatchedStep, *events: tuple[int, int]) -> WatchedStep:
    addresses, sizes = zip(*events, strict=True)
    unknown = (-1,) * len(events)
    places = Events(addresses=addresses, sizes=sizes, lines=unknown, modules=unknown)
    marks = tuple(Mark(place, "period") for place in (0, 0, len(events)))
    return msgspec.structs.replace(step, events=places, marks=marks, cut=0)


@pytest.fixture
def empty() -> WatchedStep:
    program = FakeProgram()
    for _ in range(3):
        program.period()
    return program.record()


def test_a_life_goes_from_its_allocation_to_its_release() -> None:
    program = FakeProgram()
    kept, passing = program.hold(1), program.hold(2)
    program.period()
    program.give(passing)
    program.give(program.take(4, "train.py:7", "fc"))
    program.period()
    last = program.take(8)
    program.period()
    step = program.record()
    blocks = blocks_of(step)
    assert sorted(map(facts, blocks), key=lambda each: each[0]) == [
        (1, None, None), (2, None, 0), (4, 1, 2), (8, 3, None),
    ]  # fmt: skip
    made = blocks.of_event[1]
    assert (step.lines[made.line], step.modules[made.module].path) == ("train.py:7", "fc")
    assert {block.address for block in blocks if block.release is None} == {kept, last}


def test_an_address_means_the_block_that_was_there_at_the_time() -> None:
    program = FakeProgram()
    program.period()
    address = program.take(16)
    program.give(address)
    assert program.take(32) == address
    program.period()
    program.period()
    blocks = blocks_of(program.record())
    found = [blocks.at(address, place) for place in range(4)]
    assert [block.size if block else None for block in found] == [None, 16, None, 32]


def test_an_address_in_the_middle_of_a_block_means_that_block() -> None:
    program = FakeProgram()
    address = program.hold(BLOCK)
    program.period()
    program.give(program.take(16))
    program.period()
    program.period()
    blocks = blocks_of(program.record())
    for inside in (address, address + 100, address + BLOCK - 1):
        block = blocks.at(inside, 1)
        assert block is not None
        assert block.address == address
    # Another block lay there, and is gone.
    between = blocks.of_event[0].address
    assert blocks.at(between, 1) is blocks.of_event[0]
    assert blocks.at(between, 2) is None
    assert blocks.at(address - 1, 1) is None


def test_a_block_that_came_and_went_in_anothers_middle_does_not_hide_that() -> None:
    program = FakeProgram()
    program.period()
    small = program.take(16)
    program.give(small)
    program.period()
    program.period()
    step = program.record()
    inside = with_events(step, (small, 16), (small, -16), (small - 100, 1000))
    blocks = blocks_of(msgspec.structs.replace(inside, blocks=((small - 100, 1000),)))
    block = blocks.at(small, 3)
    assert block is not None
    assert block.size == 1000


@pytest.mark.parametrize(
    ("events", "blocks", "message"),
    [
        ([(1, 8)], [], "later events and blocks say that nothing is there"),
        ([(1, 8)], [(1, 16)], "later events and blocks say that 16 B is there"),
        ([(1, -8)], [(1, 8)], "event 0 changes address 0x1 by -8 B"),
        ([(1, -8), (1, -8)], [], "event 0"),
        ([(1, 8), (1, 8)], [(1, 8)], "event 0"),
        ([(1, 8), (1, -4)], [], "event 0"),
        ([(1, 0)], [], "event 0"),
        ([(1, 8)], [(1, 8), (1, 8)], "the same address"),
    ],
)
def test_a_contradiction_is_reported_in_one_line(
    empty: WatchedStep, events: list, blocks: list, message: str
) -> None:
    step = msgspec.structs.replace(with_events(empty, *events), blocks=tuple(blocks))
    with pytest.raises(NoReport, match=message) as raised:
        report(step, 1)
    assert "\n" not in str(raised.value)


def marks(*places: int) -> tuple[Mark, ...]:
    return tuple(Mark(place, "period") for place in places)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"marks": marks(0, 0)}, "three marks of a period, and this one 2"),
        ({"cut": 1}, "the second period begins at 0, and the cut is at 1"),
        ({"marks": (*marks(0, 0), Mark(-1, "call"), *marks(0))}, "not in order"),
        ({"marks": marks(0, 0, 5)}, "not in order"),
        ({"marks": marks(-1, 0, 0)}, "not in order"),
        ({"block_lines": (-1,)}, "more or fewer lines than blocks"),
        ({"blocks": ((1, 8),), "block_lines": (0,)}, "a line"),
        ({"events": Events(addresses=(1,), sizes=(), lines=(), modules=())}, "differ in length"),
        ({"events": Events(addresses=(1,), sizes=(1,), lines=(0,), modules=(-1,))}, "a line"),
        ({"events": Events(addresses=(1,), sizes=(1,), lines=(-1,), modules=(-2,))}, "a module"),
    ],
)
def test_a_record_that_does_not_fit_together_has_no_report(
    empty: WatchedStep, changed: dict, message: str
) -> None:
    with pytest.raises(NoReport, match=message):
        report(msgspec.structs.replace(empty, **changed), 1)


def test_a_sighting_without_a_name_has_no_report() -> None:
    program = FakeProgram()
    address = program.hold(1)
    for _ in range(3):
        program.period()
    program.see("parameters", address)
    with pytest.raises(NoReport, match="a name"):
        program.report(names=())


def test_the_records_of_these_tests_are_what_an_observer_may_say() -> None:
    program = FakeProgram()
    weight = program.hold(4)
    for _ in range(2):
        program.period()
        with program.call(program.take(8, "train.py:7", "")):
            program.see("parameters", weight)
    program.period()
    step = program.record()
    assert msgspec.json.decode(msgspec.json.encode(step), type=WatchedStep) == step
