"""Which program the screen shows, and what it is told at the end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from heard import Heard
from msgspec.structs import replace
from recorded_program import REPORT, STEPS
from said import denied, training
from scripted_viewer import OBSERVED, ScriptedViewer
from vramtop.protocol.messages import Measured, Note, OutOfMemory, Program, Sample
from vramtop.protocol.observed.record import (
    Ended,
    FromObserver,
    Holder,
    Holders,
    Input,
    Level,
    Missing,
    Progress,
    Removed,
)
from vramtop.tui.gpus.vacancy import Holdings
from vramtop.tui.programs import programs
from vramtop.tui.programs.link import Attached
from vramtop.tui.worker.link import Parted, ShapesSeen, Watched

PASSED = Progress(steps=0, watched=1, step_seconds=0.1, seconds=9.0, watching_seconds=0.09)
MIB = 2**20


@pytest.fixture
async def link(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Attached]:
    """A link that asks NVML nothing; test_seen.py does, on simulated GPUs."""

    async def nothing() -> dict[str, Holdings]:
        return {}

    monkeypatch.setattr(programs, "holdings", nothing)
    made = Attached(1)
    yield made
    await made.close()


async def test_a_watched_step_is_shown_with_what_is_expected(link: Attached) -> None:
    heard, program = Heard(link), ScriptedViewer()
    link.follow(program)  # type: ignore[arg-type]
    for said in (
        Progress(steps=5, watched=1, step_seconds=0.1, seconds=9.0, watching_seconds=0.09),
        *STEPS,
    ):
        program.said.put_nowait(said)
    await heard.until(Measured)
    await heard.until(Measured)
    assert program.watching
    kinds = [type(each) for each in heard.messages]
    assert kinds[0] is Watched
    assert Sample in kinds
    assert kinds.count(Program) == 1  # the second step says nothing new of the program
    await link.close()
    assert program.closed


async def test_of_several_ranks_the_lowest_is_shown_and_the_others_are_named(
    link: Attached,
) -> None:
    heard, first, second = Heard(link), ScriptedViewer(1, pid=71), ScriptedViewer(0, pid=70)
    link.follow(first)  # type: ignore[arg-type]
    await heard.until(Watched, rank=1)
    link.follow(second)  # type: ignore[arg-type]
    await heard.until(Watched, rank=0)
    await heard.until(
        Note,
        text="train.py (pid 71, rank 1 of 2) runs too; train.py (pid 70, rank 0 of 2) is shown",
    )
    first.said.put_nowait(STEPS[0])
    second.said.put_nowait(
        Progress(steps=9, watched=0, step_seconds=None, seconds=9.0, watching_seconds=0.0)
    )
    await heard.until(Sample, step=9)
    assert not any(isinstance(each, Measured) for each in heard.messages)
    second.said.put_nowait(Ended())
    second.said.put_nowait(None)
    await heard.until(Watched, rank=1)


async def test_a_process_that_becomes_another_program_is_shown_on(link: Attached) -> None:
    heard, before, after = Heard(link), ScriptedViewer(), ScriptedViewer()
    after.observed = replace(after.observed, program="next.py")
    link.follow(before)  # type: ignore[arg-type]
    await heard.until(Watched)
    link.follow(after)  # type: ignore[arg-type]
    await heard.until(Note)
    before.said.put_nowait(None)
    await heard.until(Watched, program="next.py")
    after.said.put_nowait(Ended())
    after.said.put_nowait(None)
    await heard.until(Parted, over=True)
    shown = [each.program for each in heard.messages if isinstance(each, Watched)]
    assert list(dict.fromkeys(shown)) == [OBSERVED.program, "next.py"]


async def test_the_next_rank_is_shown_with_its_latest_step_and_stays(link: Attached) -> None:
    heard, first, second = Heard(link), ScriptedViewer(0, pid=70), ScriptedViewer(1, pid=71)
    link.follow(first)  # type: ignore[arg-type]
    await heard.until(Watched, rank=0)
    assert not await link.show_next()
    link.follow(second)  # type: ignore[arg-type]
    second.said.put_nowait(STEPS[-1])
    first.said.put_nowait(STEPS[-1])
    await heard.until(Measured)
    assert await link.show_next()
    await heard.until(Watched, rank=1)
    await heard.until(Measured)
    third = ScriptedViewer(0, pid=72)
    link.follow(third)  # type: ignore[arg-type]
    await heard.until(
        Note,
        text="train.py (pid 72, rank 0 of 2) runs too; train.py (pid 71, rank 1 of 2) is shown",
    )


async def test_each_device_of_a_program_is_shown_in_turn_and_then_the_next_rank(
    link: Attached,
) -> None:
    heard, first, second = Heard(link), ScriptedViewer(0, pid=70), ScriptedViewer(1, pid=71)
    link.follow(first)  # type: ignore[arg-type]
    one, other = (training(1, device) for device in ("cuda:0", "cuda:1"))
    blocks = (*other.blocks, (5 << 20, 7))
    other = replace(other, blocks=blocks, block_lines=(-1, 2, -1))
    for said in (one, other):
        first.said.put_nowait(said)
    await heard.until(Note, text="the program works on cuda:1 too: n shows the next device")

    async def shown(device: str, bytes_: int) -> None:
        watched = await heard.until(Watched, device=device)
        program = await heard.until(Program)
        measured = await heard.until(Measured)
        assert isinstance(watched, Watched)
        assert watched.devices == ("cuda:0", "cuda:1")
        assert isinstance(program, Program)
        assert program.device.name == device
        assert isinstance(measured, Measured)
        assert measured.anatomy.peak.bytes == bytes_

    assert await link.show_next()
    await shown("cuda:1", 1457)
    assert await link.show_next()  # there is no other rank
    await shown("cuda:0", 1450)
    link.follow(second)  # type: ignore[arg-type]
    await heard.until(Note)
    assert await link.show_next()
    assert await link.show_next()
    await heard.until(Watched, rank=1)
    assert await link.show_next()
    await shown("cuda:0", 1450)
    await link.close()


async def test_who_holds_what_is_nobodys_is_asked_only_if_somebody_wants_to_know(
    link: Attached,
) -> None:
    heard, program = Heard(link), ScriptedViewer()
    link.follow(program)  # type: ignore[arg-type]
    program.said.put_nowait(STEPS[-1])
    await heard.until(Measured)
    assert program.asked == []
    link.ask_who()
    ((device, addresses),) = program.asked
    assert device == "cuda:0"
    assert len(addresses) == REPORT.blocks["other"] > 0
    holders = tuple(Holder(address, "losses in main in train.py") for address in addresses)
    program.said.put_nowait(Holders(device, holders))
    measured = await heard.until(Measured)
    assert isinstance(measured, Measured)
    (reasons,) = [each.reasons for each in measured.differences if each.category == "other"]
    assert reasons[0] == "held by losses in main in train.py"
    names = {facts.name for facts in measured.tensors["other"].largest}
    assert names == {"losses in main in train.py"}


async def test_an_evaluation_between_two_steps_does_not_hide_the_training(link: Attached) -> None:
    heard, program = Heard(link), ScriptedViewer()
    link.follow(program)  # type: ignore[arg-type]
    inference = replace(STEPS[0], kind="inference")
    for said in (STEPS[0], inference, STEPS[0], inference, inference):
        program.said.put_nowait(said)
    await heard.until(Watched, kind="inference")
    await heard.until(Measured)
    assert sum(isinstance(each, Measured) for each in heard.messages) == 3


@pytest.mark.parametrize(
    ("last", "reason", "over"),
    [
        ([Ended(), None], "train.py (pid 4194303) has ended", True),
        ([None], "train.py (pid 4194303) has ended", True),  # killed
        (
            [Removed("KeyError: 7"), None],
            "the observer has removed itself: KeyError: 7; the program goes on",
            False,
        ),
    ],
)
async def test_how_it_ended_is_told(
    link: Attached, last: list[FromObserver | None], reason: str, over: bool
) -> None:
    heard, program = Heard(link), ScriptedViewer()
    link.follow(program)  # type: ignore[arg-type]
    for said in last:
        program.said.put_nowait(said)
    parted = await heard.until(Parted)
    assert isinstance(parted, Parted)
    assert (parted.reason, parted.over) == (reason, over)


async def test_a_program_that_no_longer_answers_is_not_said_to_have_ended(link: Attached) -> None:
    heard, program = Heard(link), ScriptedViewer(pid=os.getpid())
    link.follow(program)  # type: ignore[arg-type]
    program.said.put_nowait(None)
    parted = await heard.until(Parted)
    assert isinstance(parted, Parted)
    assert "does not answer any more; the program goes on" in parted.reason


async def test_why_a_step_could_not_be_recorded_is_told_once_in_the_log(link: Attached) -> None:
    heard, program = Heard(link), ScriptedViewer()
    link.follow(program)  # type: ignore[arg-type]
    for _ in range(2):
        program.said.put_nowait(Missing("no trace"))
    program.said.put_nowait(
        Progress(steps=1, watched=0, step_seconds=None, seconds=9.0, watching_seconds=0.0)
    )
    await heard.until(Watched, trouble="no trace")
    await heard.until(Sample)
    assert heard.messages.count(Note("a step could not be recorded: no trace")) == 1


async def test_an_out_of_memory_says_what_was_held(link: Attached) -> None:
    heard, program = Heard(link), ScriptedViewer()
    link.follow(program)  # type: ignore[arg-type]
    program.said.put_nowait(denied(count=3))
    await heard.until(Sample, step=1204)  # so that no later word of that step seems to follow it
    told = await heard.until(OutOfMemory)
    assert isinstance(told, OutOfMemory)
    assert told.phase == "forward"
    assert (told.wanted, told.free) == (96 * MIB, 20 * MIB)
    assert told.operator == "encoder.1 (Linear), train.py:9"
    assert told.detail == (
        "out of memory on cuda:0, the latest of 3, in forward, after 1,204 steps, "
        "of float32 64 × 784"
    )
    held = "held then 336.0 MiB of 400.0 MiB reserved: parameters 16.0 MiB, "
    assert await heard.until(Note, text=f"{held}optimizer state 32.0 MiB, the rest 288.0 MiB")
    suggested = "suggestion: most is neither parameters, gradients nor optimizer state, 288.0 MiB: "
    assert await heard.until(Note, text=f"{suggested}a smaller batch, or activation checkpointing")


async def test_a_new_peak_has_a_line_where_another_shape_had_the_one_before(link: Attached) -> None:
    heard, program = Heard(link), ScriptedViewer()
    link.follow(program)  # type: ignore[arg-type]
    for number, (kept, length) in enumerate(((300, 5), (310, 5), (900, 9), (950, 9), (320, 5)), 1):
        shape = (Input("int64", (8, length)),)
        program.said.put_nowait(replace(PASSED, steps=40 * number))
        program.said.put_nowait(replace(training(number, kept=kept), inputs=shape))
    program.said.put_nowait(replace(PASSED, steps=999))
    await heard.until(Sample, step=999)
    notes = [each.text for each in heard.messages if isinstance(each, Note)]
    assert [note for note in notes if "peak" in note] == [
        "new peak 2.00 KiB at step 120: int64 8 × 9",
    ]  # fmt: skip
    shapes = [each.shapes for each in heard.messages if isinstance(each, ShapesSeen)]
    assert [len(each.seen) for each in shapes] == [1, 1, 2, 2, 2]
    assert [each.watched for each in shapes[-1].seen] == [2, 3]


async def test_what_grows_has_a_line_once_and_another_once_its_holder_is_known(
    link: Attached,
) -> None:
    heard, program = Heard(link), ScriptedViewer()
    link.follow(program)  # type: ignore[arg-type]
    for number in range(1, 7):
        program.said.put_nowait(replace(PASSED, steps=40 * number))
        program.said.put_nowait(training(number, old=100 * number))
    program.said.put_nowait(Holders("cuda:0", (Holder(4 << 20, "history in train.py"),)))
    program.said.put_nowait(replace(PASSED, steps=999))
    await heard.until(Sample, step=999)
    notes = [each.text for each in heard.messages if isinstance(each, Note)]
    first, named = (note for note in notes if "grows" in note)
    assert first == "Other grows by 2 B a step, from 100 B after step 40 to 400 B after step 160"
    assert named == (
        "Other grows by 2 B a step, from 100 B after step 40 to 600 B after step 240; "
        "held by history in train.py (600 B)"
    )


async def test_what_grows_by_its_levels_has_a_line_before_another_step_is_watched(
    link: Attached,
) -> None:
    heard, program = Heard(link), ScriptedViewer()
    link.follow(program)  # type: ignore[arg-type]
    for number in (1, 2):
        program.said.put_nowait(replace(PASSED, steps=3 * number))
        program.said.put_nowait(training(number, old=3 * number))
    for step in range(10, 130, 10):
        level = Level("cuda:0", step, 1000 + step)
        program.said.put_nowait(replace(PASSED, steps=step, levels=(level,)))
    await heard.until(Sample, step=120)
    notes = [each.text for each in heard.messages if isinstance(each, Note)]
    (line,) = (note for note in notes if "grows" in note)
    assert (
        line == "memory grows by 1 B a step, from 1010 B after step 10 to 1.09 KiB after step 120"
    )
    await asyncio.wait_for(program.was_asked.wait(), 10)  # though nobody has pressed a key
    assert len(program.asked) == 1


async def test_another_device_begins_with_its_own_shapes_and_no_new_peak(link: Attached) -> None:
    heard, program = Heard(link), ScriptedViewer()
    link.follow(program)  # type: ignore[arg-type]
    program.said.put_nowait(training(1, "cuda:0"))
    program.said.put_nowait(replace(training(1, "cuda:1", kept=9000), inputs=()))
    await heard.until(Note, text="the program works on cuda:1 too: n shows the next device")
    assert await link.show_next()
    await heard.until(Measured)
    last = [each.shapes for each in heard.messages if isinstance(each, ShapesSeen)][-1]
    assert [row.inputs for row in last.seen] == [()]
    assert not any("new peak" in each.text for each in heard.messages if isinstance(each, Note))
