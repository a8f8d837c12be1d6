"""What follows from the messages of observers: the reports, their order, and why there are none."""

from __future__ import annotations

import json

import msgspec
import pytest
from said import BATCH, KEPT, OBSERVED, OLD, PROGRESS, WEIGHT, denied, inference, rank, training
from vramtop.accounting.program.autopsy import autopsy
from vramtop.protocol.observed.program import ProgramReport
from vramtop.protocol.observed.record import Ended, Holder, Holders, Missing, Progress, Removed
from vramtop.protocol.observed.report import Held, Split
from vramtop.protocol.observed.shapes import Room, Shapes
from vramtop.tui.programs.programs import Program, reports


def heard(*messages: object, observed: object = OBSERVED) -> Program:
    program = Program(observed)
    for message in messages:
        program.add(message)
    return program


def test_a_report_says_who_it_is_and_how_far() -> None:
    (report,) = heard(training(24), PROGRESS).reports()
    assert (report.pid, report.host, report.program) == (4711, "node", "train.py")
    assert (report.rank, report.world_size, report.local_rank) == (None, None, None)
    assert (report.torch, report.python) == ("2.11.0", "3.12.3")
    assert (report.steps, report.watched, report.step_seconds) == (1204, 24, 0.0098)
    assert (report.watching_seconds, report.seconds) == (0.42, 100.0)
    assert report.watching_share == pytest.approx(0.0042)


def test_a_report_has_the_split_of_the_latest_step_of_each_kind() -> None:
    program = heard(inference(1), training(2, kept=7), training(3), PROGRESS)
    (report,) = program.reports()
    first, second = report.kinds
    assert (first.kind, first.steps, second.kind, second.steps) == (
        "training", 1204, "inference", None,
    )  # fmt: skip
    split = Split(parameters=WEIGHT, batch_data=BATCH, activations=KEPT, other=OLD)
    assert first.peak.split == split
    assert (first.peak.bytes, first.peak.line, first.peak.module) == (
        split.total, "train.py:9", "fc",
    )  # fmt: skip
    assert first.high_water == split
    assert first.unattributed == 0
    assert second.peak.bytes == WEIGHT + 70
    assert report.phases == ("load", "forward", "backward", "optimizer")
    assert [layer.name for layer in report.layers] == ["fc"]
    assert [(held.bytes, held.line) for held in report.other] == [(OLD, "train.py:3")]
    assert isinstance(report.other[0], Held)


def test_several_devices_have_a_report_each_and_ranks_are_in_order() -> None:
    second = heard(training(1, "cuda:1"), observed=rank(1))
    first = heard(training(1, "cuda:1"), training(1, "cuda:0"), observed=rank(0))
    assert [(each.rank, each.device) for each in reports([second, first])] == [
        (0, "cuda:0"), (0, "cuda:1"), (1, "cuda:1"),
    ]  # fmt: skip


def test_an_out_of_memory_is_reported_also_where_nothing_was_watched() -> None:
    (report,) = heard(denied()).reports()
    assert (report.device, report.kinds) == ("cuda:0", ())
    assert report.out_of_memory == autopsy(denied())
    assert reports([heard()]) == []


def test_of_several_out_of_memories_a_device_has_the_latest_and_their_count() -> None:
    program = heard(denied(1), denied(1, "cuda:1"), denied(2))
    found = [report.out_of_memory for report in program.reports()]
    assert [each and each.count for each in found] == [2, 1]


def test_what_grows_is_reported_and_the_program_asked_who_holds_it_however_little_it_is() -> None:
    program = heard()
    for number in range(1, 5):
        step = training(number, kept=10**6, old=OLD + number)
        program.add(msgspec.structs.replace(PROGRESS, steps=100 * number))
        program.add(step)
        program.seen.add(step, 100 * number, {})
        (report,) = program.reports()
        assert (report.growth is not None) == (number == 4)
        assert program.unasked("cuda:0") == ((4 << 20,) if number == 4 else ())
    assert report.growth is not None
    assert (report.growth.before, report.growth.bytes) == (OLD + 1, OLD + 4)
    program.add(Holders("cuda:0", (Holder(4 << 20, "history in train.py"),)))
    (report,) = program.reports()
    assert report.growth is not None
    assert report.growth.held == (Held(OLD + 4, 1, "history in train.py", "train.py:3"),)
    assert msgspec.json.decode(msgspec.json.encode(report), type=ProgramReport) == report


def test_a_report_is_read_back_from_its_json() -> None:
    program = heard(training(), inference(), denied(), PROGRESS)
    for step in (training(), inference(), training()):
        program.seen.add(step, 7, {})
    (report,) = program.reports()
    room = Room(
        inputs=training().inputs, rows=5, most_rows=9, bytes_per_row=7, by="slope", fewer_rows=2,
        available=10, proved_rows=None,
    )  # fmt: skip
    report = msgspec.structs.replace(report, room=room)
    assert report.shapes.left_behind is not None
    encoded = msgspec.json.encode(report)
    assert msgspec.json.decode(encoded, type=ProgramReport) == report
    assert set(json.loads(encoded)["kinds"][0]) == {
        "kind", "inputs", "steps", "seconds", "boundaries", "high_water", "peak", "allocator",
        "unattributed",
    }  # fmt: skip


def test_a_report_that_was_written_before_there_were_shapes_is_read() -> None:
    (report,) = heard(training(), PROGRESS).reports()
    written = msgspec.json.decode(msgspec.json.encode(report))
    del written["shapes"], written["room"]
    read = msgspec.json.decode(msgspec.json.encode(written), type=ProgramReport)
    assert (read.shapes, read.room) == (Shapes(), None)


def test_the_count_of_watched_steps_knows_the_latest() -> None:
    before = Progress(steps=9, watched=1, step_seconds=None, seconds=9.0, watching_seconds=0.0)
    assert heard(training(1), before, training(2)).watched == 2


def test_why_nothing_was_watched_is_said_in_one_line() -> None:
    assert (
        heard(Ended()).why_nothing == "train.py ended before a step of it was watched: "
        "it made no step, and no call without gradients, from beginning to end"
    )
    for since_start, steps in ((True, 0), (False, 1)):
        who = msgspec.structs.replace(OBSERVED, since_start=since_start)
        short = msgspec.structs.replace(PROGRESS, steps=steps)
        assert heard(short, Ended(), observed=who).why_nothing == (
            "train.py ended before a step of it was watched: it made no step from beginning to end"
        )
        enough = msgspec.structs.replace(PROGRESS, steps=steps + 1)
        assert heard(enough, Ended(), observed=who).why_nothing == (
            "train.py ended before a step of it was watched"
        )
    assert heard(PROGRESS, Ended()).why_nothing == "train.py ended before a step of it was watched"
    assert heard(observed=rank(3, 4)).why_nothing == "train.py, rank 3: no step was watched yet"
    for reason in (Missing("another dispatch mode"), Removed("another dispatch mode")):
        program = heard(reason, Ended())
        assert program.why_nothing == (
            "train.py: no step could be watched: another dispatch mode"
        )  # fmt: skip
        assert program.removed is isinstance(reason, Removed)


def test_a_record_that_contradicts_itself_is_left_out_and_said() -> None:
    wrong = msgspec.structs.replace(training(), cut=1)
    program = heard(wrong)
    (report,) = program.reports()
    assert report.kinds == ()
    assert "second period" in program.why_nothing
