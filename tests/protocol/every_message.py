"""A message of every kind, for the tests of what carries them."""

from __future__ import annotations

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
from vramtop.protocol.wire.framing import FromWorker, ToWorker

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
