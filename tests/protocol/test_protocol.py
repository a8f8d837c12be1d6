"""Messages and their frames."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from vramtop.protocol.commands import Advance, GiveBack, Pace, Pause, SlowMotion, Stop
from vramtop.protocol.lesson.commands import (
    CallOff,
    Change,
    Compare,
    FindLargest,
    GoOn,
    HandOver,
    Predict,
    Reset,
    ShowImage,
    Start,
)
from vramtop.protocol.lesson.formula import lesson
from vramtop.protocol.lesson.messages import (
    Compared,
    Comparing,
    ComparisonEnded,
    Configured,
    Data,
    Evaluated,
    Found,
    LessonEnded,
    LessonMeasured,
    LessonOutOfMemory,
    LessonSample,
    Noise,
    Picture,
    Predicted,
    SearchEnded,
    Stage,
    Timed,
    Tried,
    Trying,
    WouldFit,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import (
    Answer,
    Device,
    Difference,
    Ended,
    Expectation,
    Failed,
    Flow,
    Hello,
    Layer,
    Measured,
    Note,
    OutOfMemory,
    Program,
    Sample,
)
from vramtop.protocol.split import (
    AllocatorMemory,
    Anatomy,
    Moment,
    Peak,
    Reading,
    Split,
    TensorFacts,
    Tensors,
)
from vramtop.protocol.wire import framing
from vramtop.protocol.wire.envelope import Envelope, Sender
from vramtop.protocol.wire.framing import MAX_FRAME, FromWorker, ProtocolError, ToWorker

SPLIT = Split(parameters=407_080, gradients=0, optimizer_state=814_176, batch_data=2**40)

FROM_WORKER: list[FromWorker] = [
    Hello(1, 4321, "2.9.0", Device("cuda:0", "A GPU", 80 * 2**30)),
    Hello(1, 4321, "2.9.0", Device("cpu", "A CPU", None)),
    Program(
        "train.py",
        Device("cuda:1", "A GPU", 80 * 2**30, "GPU-1"),
        expected=(Expectation("gradients", "2 × 101,770", 203_540),),
    ),
    Program("train.py", Device("cpu", "A CPU", None)),
    Sample(step=7, phase="backward", split=SPLIT, step_seconds=0.1, resident=2**30, part=2),
    Sample(step=7, phase="zero_grad", loss=0.5),
    Measured(
        step=7,
        settled=True,
        anatomy=Anatomy({}, SPLIT, Peak(0, "load", "", Split()), ()),
        differences=(
            Difference("gradients", 8, ("two counters", "counters")),
            Difference("parameters", -3),
        ),
    ),
    OutOfMemory(
        phase="forward", operator="aten.relu.default", split=SPLIT, detail="no", wanted=9, free=3
    ),
    Ended(100),
    Configured(
        "MLP",
        device=Device("cuda:1", "A GPU", 80 * 2**30, "GPU-1"),
        expected=(Expectation("parameters", "4 × 101,770", 407_080),),
        settings=Settings(),
        data=Data("sample", "real digits", 6_000, 1_000, (1, 28, 28), tuple("0123456789")),
        layers=(Layer("Linear 784 → 128", (128,), 100_480, 401_920, "Linear", 100_352, 128),),
        formula=lesson(pixels=784, hidden=128, batch_size=64, optimizer="adam"),
    ),
    LessonSample(
        step=7,
        epoch=1,
        position=448,
        images=448,
        batch_size=64,
        loss=2.3,
        phase="zero_grad",
        split=SPLIT,
        step_seconds=7e-4,
        samples_per_second=9e4,
        resident=3 * 2**30,
    ),
    LessonSample(
        step=0,
        epoch=1,
        position=0,
        images=0,
        batch_size=64,
        loss=None,
        phase="load",
        split=None,
        step_seconds=None,
        samples_per_second=None,
        resident=None,
    ),
    LessonMeasured(
        step=7,
        batch_size=64,
        settled=True,
        anatomy=Anatomy(
            {"load": SPLIT, "backward": Split()},
            SPLIT,
            Peak(SPLIT.total, "backward", "aten.threshold_backward.default", SPLIT),
            (Moment("load", SPLIT), Moment("forward", Split(activations=1), 1)),
            ("", "aten.relu.default"),
            1,
        ),
        allocator=AllocatorMemory({"load": Reading(1, 2)}, 3, 4, 5, 6, 7, 8, 9),
        tensors={
            "batch_data": Tensors(
                (
                    TensorFacts(800, "inputs", "batch", (2, 100), "float32", "load", "load"),
                    TensorFacts(8, "loss", "aten.mean.default", (), "float64", None, None, True),
                ),
                others=2,
                others_bytes=9,
            ),
            "temporaries": Tensors((TensorFacts(65_540, operator="aten.sum.dim_IntList"),)),
            "activations": Tensors(),
        },
    ),
    LessonMeasured(
        step=7,
        batch_size=64,
        settled=False,
        anatomy=Anatomy({}, Split(), Peak(0, "load", "", Split()), ()),
        allocator=None,
    ),
    Evaluated(1, 0.3, 0.91, 1_000, 1_000, SPLIT),
    Noise(640, 64, 12, 119.0, 0.47, 252.5, 189.4, 433.8, SPLIT),
    Noise(640, 64, 2, 119.0, -0.1, None, None, None, None),
    LessonOutOfMemory(
        batch_size=4096,
        needed=2**30,
        limit=2**29,
        phase="forward",
        operator="aten.relu.default",
        split=SPLIT,
        restored=2048,
        detail="too much",
    ),
    LessonOutOfMemory(
        batch_size=4096,
        needed=None,
        limit=None,
        phase="evaluation",
        operator="",
        split=Split(),
        restored=None,
        detail="too much",
    ),
    WouldFit(Settings(), 2**30, 3_294),
    Predicted(Settings(), "cpu", Anatomy({}, SPLIT, Peak(1, "load", "", SPLIT), ()), None, 7),
    Trying(4711),
    Tried(4711, fits=True),
    Timed(64, 1e5),
    SearchEnded(None),
    Comparing(256, 2, 5, 12_000, 30_000),
    Compared(
        Settings(),
        30_000,
        2.3,
        0.2,
        0.9,
        Anatomy({}, SPLIT, Peak(1, "load", "", SPLIT), ()),
        1e-3,
        64e3,
    ),
    Compared(Settings(), 30_000, out_of_memory=True, needed=2**30, limit=2**29),
    ComparisonEnded(True),
    SearchEnded(
        Found(
            4711, 3768, "memory", 2**24, 2**24, None, 3, 1, 512, (Timed(64, 1e5), Timed(512, 2e5))
        )
    ),
    Flow(paused=True, slow=False),
    Answer(3, None),
    Answer(4, "batch size is a whole number from 1 to 6,000, not 0"),
    Note('a line with é, 漢字 and \\ and "'),
    Picture(
        7,
        3,
        "cat",
        "files",
        (0.5, 0.5),
        (Stage("as stored", "uint8", (3, 1, 2), 6, 0.0, 255.0, 63.5),),
        bytes((0, 1, 2, 253, 254, 255)),
    ),
    Failed("no device", usage=True),
    LessonEnded(100, 6_400),
]
TO_WORKER: list[ToWorker] = [
    Start(1, Settings(dataset="cifar10", budget=2**34), steps=10, every_step=True, observe=False),
    Start(1, Settings(), train=False),
    Change(1, batch_size=128),
    Change(2, learning_rate=None, budget=None),
    Change(3, dataset="cifar10", optimizer="sgd", hidden=256, learning_rate=0.1, budget=1),
    Pause(4, paused=True),
    Advance(5),
    SlowMotion(6, slow=True, seconds=0.5),
    Start(1, Settings(), images=30_000, evaluate=True),
    Reset(7, Settings(), steps=5),
    Reset(8, Settings(), images=30_000, evaluate=True),
    GiveBack(9),
    ShowImage(10),
    ShowImage(11, 5_999),
    Predict(10, Settings()),
    Compare(5, (Settings(), Settings(batch_size=256)), 30_000),
    FindLargest(11),
    CallOff(12),
    Pace(13, 0.5),
    HandOver(14),
    GoOn(15),
    Start(1, Settings(), resume=True, free={"GPU-a0": 2**33}),
    Stop(),
]
ENVELOPES = [
    Envelope(Sender("a-host", 4321, rank, device), 0.25 * number, message)
    for number, message in enumerate(FROM_WORKER)
    for rank, device in ((None, None), (3, "cuda:0"))
]
BOTH = [
    *((framing.from_worker, envelope) for envelope in ENVELOPES),
    *((framing.to_worker, message) for message in TO_WORKER),
]


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def test_every_kind_of_message_is_tested_here() -> None:
    assert {type(message) for message in FROM_WORKER} == set(get_args(FromWorker))
    assert {type(message) for message in TO_WORKER} == set(get_args(ToWorker))


@pytest.mark.parametrize(("decoder", "content"), BOTH)
def test_a_message_arrives_as_it_was_sent(decoder: Any, content: Any) -> None:
    assert list(decoder().feed(framing.encode(content))) == [content]


@given(st.lists(st.sampled_from(ENVELOPES), max_size=6), st.data())
def test_messages_arrive_in_order_whatever_pieces_the_stream_comes_in(
    envelopes: list[Envelope[FromWorker]], data: st.DataObject
) -> None:
    stream = b"".join(map(framing.encode, envelopes))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    decoder = framing.from_worker()
    arrived = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        arrived += decoder.feed(stream[start:end])
    assert arrived == envelopes


def test_a_frame_is_complete_with_its_last_byte_only() -> None:
    decoder, frame = framing.to_worker(), framing.encode(Advance(1))
    for index in range(len(frame) - 1):
        assert list(decoder.feed(frame[index : index + 1])) == []
    assert list(decoder.feed(frame[-1:])) == [Advance(1)]


def test_a_frame_begins_with_its_length_most_significant_byte_first() -> None:
    frame = framing.encode(Envelope(Sender("a-host", 7), 1.5, Note("x" * 1000)))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert msgspec.msgpack.decode(frame[4:]) == [
        ["a-host", 7, None, None],
        1.5,
        {"type": "note", "text": "x" * 1000},
    ]


def test_a_change_leaves_out_what_stays() -> None:
    assert msgspec.msgpack.decode(framing.encode(Change(9, hidden=64))[4:]) == {
        "type": "change",
        "command": 9,
        "hidden": 64,
    }


def test_a_change_tells_no_limit_from_an_unchanged_one() -> None:
    (unlimited,) = framing.to_worker().feed(framing.encode(Change(1, budget=None)))
    (unchanged,) = framing.to_worker().feed(framing.encode(Change(1)))
    assert isinstance(unlimited, Change)
    assert isinstance(unchanged, Change)
    assert unlimited.budget is None
    assert unchanged.budget is UNSET


@pytest.mark.parametrize("message", FROM_WORKER)
def test_a_headless_line_is_the_same_message_as_json(message: FromWorker) -> None:
    line = framing.to_json(message)
    assert "\n" not in line
    assert msgspec.json.decode(line, type=FromWorker) == message


def test_a_loss_that_is_no_number_travels_but_is_null_in_json() -> None:
    sample = LessonSample(
        step=1,
        epoch=1,
        position=64,
        images=64,
        batch_size=64,
        loss=math.nan,
        phase="zero_grad",
        split=None,
        step_seconds=None,
        samples_per_second=None,
        resident=None,
    )
    envelope = Envelope(Sender("a-host", 7), 1.5, sample)
    (arrived,) = framing.from_worker().feed(framing.encode(envelope))
    assert isinstance(arrived.message, LessonSample)
    assert arrived.message.loss is not None
    assert math.isnan(arrived.message.loss)
    assert msgspec.json.decode(framing.to_json(sample))["loss"] is None


# ---- what cannot be read ------------------------------------------------------------------------


def test_a_frame_that_is_too_large_is_refused_before_it_arrives() -> None:
    with pytest.raises(ProtocolError, match="a frame of 67,108,865 bytes"):
        list(framing.from_worker().feed((MAX_FRAME + 1).to_bytes(4, "big")))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"type": "unheard of"},
        {"type": "pause", "command": 1},
        {"type": "pause", "command": "one", "paused": True},
        {"type": "start", "version": 1, "settings": {"optimizer": "lion"}},
        {"type": "start", "version": 1, "settings": {"batch": 1}},
        {"type": "change", "command": 1, "batch_size": 1.5},
        ["stop"],
        None,
    ],
)
def test_a_command_of_another_kind_is_a_protocol_error(content: object) -> None:
    with pytest.raises(ProtocolError, match="an unreadable message: "):
        list(framing.to_worker().feed(framed(msgspec.msgpack.encode(content))))


@pytest.mark.parametrize(
    "content",
    [
        {"type": "note", "text": "a message without its envelope"},
        [],
        [["a-host", 7, None, None], 1.5],
        [["a-host", 7, None, None], 1.5, {"type": "stop"}],
        [["a-host", 7, None, None], "later", {"type": "note", "text": "a note"}],
        [["a-host"], 1.5, {"type": "note", "text": "a note"}],
    ],
)
def test_what_is_no_message_in_an_envelope_is_a_protocol_error(content: object) -> None:
    with pytest.raises(ProtocolError, match="an unreadable message: "):
        list(framing.from_worker().feed(framed(msgspec.msgpack.encode(content))))


def test_messages_do_not_pass_in_the_wrong_direction() -> None:
    note = Envelope(Sender("a-host", 7), 1.5, Note("a note"))
    with pytest.raises(ProtocolError):
        list(framing.to_worker().feed(framing.encode(note)))
    with pytest.raises(ProtocolError):
        list(framing.from_worker().feed(framing.encode(Stop())))


@given(st.binary(max_size=200))
def test_any_bytes_in_a_frame_are_a_message_or_a_protocol_error(body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        (arrived,) = framing.to_worker().feed(framed(body))
        assert isinstance(arrived, get_args(ToWorker))


def test_messages_before_an_unreadable_one_still_arrive() -> None:
    decoder = framing.to_worker()
    arriving = decoder.feed(framing.encode(Advance(1)) + framed(b"\xc1"))
    assert next(arriving) == Advance(1)
    with pytest.raises(ProtocolError):
        next(arriving)


@pytest.mark.parametrize("module", ["messages", "commands", "split"])
def test_what_any_worker_says_and_is_told_knows_nothing_of_the_lesson(module: str) -> None:
    code = f"import sys; import vramtop.protocol.{module}; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    )
    assert "vramtop.protocol.split" in ran.stdout
    assert "vramtop.protocol.lesson" not in ran.stdout


def test_the_protocol_needs_no_torch() -> None:
    code = "import sys; from vramtop.protocol.wire import framing; print('torch' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    )
    assert ran.stdout == "False\n"
