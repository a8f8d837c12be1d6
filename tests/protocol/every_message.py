"""A message of every kind, for the tests of what carries them."""

from __future__ import annotations

from msgspec.structs import replace
from vramtop.protocol import commands, messages
from vramtop.protocol.lesson import commands as lesson_commands
from vramtop.protocol.lesson import messages as lesson_messages
from vramtop.protocol.lesson.formula import lesson
from vramtop.protocol.lesson.settings import Settings
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
SAMPLE = lesson_messages.LessonSample(
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
)
OUT_OF_MEMORY = lesson_messages.LessonOutOfMemory(
    batch_size=4096,
    needed=2**30,
    limit=2**29,
    phase="forward",
    operator="aten.relu.default",
    split=SPLIT,
    restored=2048,
    detail="too much",
)

FROM_WORKER: list[FromWorker] = [
    messages.Hello(1, 4321, "2.9.0", messages.Device("cuda:0", "A GPU", 80 * 2**30)),
    messages.Hello(1, 4321, "2.9.0", messages.Device("cpu", "A CPU", None)),
    messages.Program(
        "train.py",
        messages.Device("cuda:1", "A GPU", 80 * 2**30, "GPU-1"),
        expected=(messages.Expectation("gradients", "2 × 101,770", 203_540),),
    ),
    messages.Program("train.py", messages.Device("cpu", "A CPU", None)),
    messages.Sample(
        step=7, phase="backward", split=SPLIT, step_seconds=0.1, resident=2**30, part=2
    ),
    messages.Sample(step=7, phase="zero_grad", loss=0.5),
    messages.Measured(
        step=7,
        settled=True,
        anatomy=Anatomy({}, SPLIT, Peak(0, "load", "", Split()), ()),
        differences=(
            messages.Difference("gradients", 8, ("two counters", "counters")),
            messages.Difference("parameters", -3),
        ),
    ),
    messages.OutOfMemory(
        phase="forward", operator="aten.relu.default", split=SPLIT, detail="no", wanted=9, free=3
    ),
    messages.Ended(100),
    lesson_messages.Configured(
        "MLP",
        device=messages.Device("cuda:1", "A GPU", 80 * 2**30, "GPU-1"),
        expected=(messages.Expectation("parameters", "4 × 101,770", 407_080),),
        settings=Settings(),
        data=lesson_messages.Data(
            "sample", "real digits", 6_000, 1_000, (1, 28, 28), tuple("0123456789")
        ),
        layers=(
            messages.Layer("Linear 784 → 128", (128,), 100_480, 401_920, "Linear", 100_352, 128),
        ),
        formula=lesson(pixels=784, hidden=128, batch_size=64, optimizer="adam"),
    ),
    SAMPLE,
    replace(
        SAMPLE, loss=None, split=None, step_seconds=None, samples_per_second=None, resident=None
    ),
    lesson_messages.LessonMeasured(
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
    lesson_messages.LessonMeasured(
        step=7,
        batch_size=64,
        settled=False,
        anatomy=Anatomy({}, Split(), Peak(0, "load", "", Split()), ()),
        allocator=None,
    ),
    lesson_messages.Evaluated(1, 0.3, 0.91, 1_000, 1_000, SPLIT),
    lesson_messages.Noise(640, 64, 12, 119.0, 0.47, 252.5, 189.4, 433.8, SPLIT),
    lesson_messages.Noise(640, 64, 2, 119.0, -0.1, None, None, None, None),
    OUT_OF_MEMORY,
    replace(OUT_OF_MEMORY, needed=None, limit=None, phase="evaluation", restored=None),
    lesson_messages.WouldFit(Settings(), 2**30, 3_294),
    lesson_messages.Predicted(
        Settings(), "cpu", Anatomy({}, SPLIT, Peak(1, "load", "", SPLIT), ()), None, 7
    ),
    lesson_messages.Trying(4711),
    lesson_messages.Tried(4711, fits=True),
    lesson_messages.Timed(64, 1e5),
    lesson_messages.SearchEnded(None),
    lesson_messages.Comparing(256, 2, 5, 12_000, 30_000),
    lesson_messages.Compared(
        Settings(),
        30_000,
        2.3,
        0.2,
        0.9,
        Anatomy({}, SPLIT, Peak(1, "load", "", SPLIT), ()),
        1e-3,
        64e3,
    ),
    lesson_messages.Compared(Settings(), 30_000, out_of_memory=True, needed=2**30, limit=2**29),
    lesson_messages.ComparisonEnded(True),
    lesson_messages.SearchEnded(
        lesson_messages.Found(
            4711,
            3768,
            "memory",
            2**24,
            2**24,
            None,
            3,
            1,
            512,
            (lesson_messages.Timed(64, 1e5), lesson_messages.Timed(512, 2e5)),
        )
    ),
    messages.Flow(paused=True, slow=False),
    messages.Answer(3, None),
    messages.Answer(4, "batch size is a whole number from 1 to 6,000, not 0"),
    messages.Note('a line with é, 漢字 and \\ and "'),
    lesson_messages.Picture(
        7,
        3,
        "cat",
        "files",
        (0.5, 0.5),
        (lesson_messages.Stage("as stored", "uint8", (3, 1, 2), 6, 0.0, 255.0, 63.5),),
        bytes((0, 1, 2, 253, 254, 255)),
    ),
    messages.Failed("no device", usage=True),
    lesson_messages.LessonEnded(100, 6_400),
]
TO_WORKER: list[ToWorker] = [
    lesson_commands.Start(
        1, Settings(dataset="cifar10", budget=2**34), steps=10, every_step=True, observe=False
    ),
    lesson_commands.Start(1, Settings(), train=False),
    lesson_commands.Change(1, batch_size=128),
    lesson_commands.Change(2, learning_rate=None, budget=None),
    lesson_commands.Change(
        3, dataset="cifar10", optimizer="sgd", hidden=256, learning_rate=0.1, budget=1
    ),
    commands.Pause(4, paused=True),
    commands.Advance(5),
    commands.SlowMotion(6, slow=True, seconds=0.5),
    lesson_commands.Start(1, Settings(), images=30_000, evaluate=True),
    lesson_commands.Reset(7, Settings(), steps=5),
    lesson_commands.Reset(8, Settings(), images=30_000, evaluate=True),
    commands.GiveBack(9),
    lesson_commands.ShowImage(10),
    lesson_commands.ShowImage(11, 5_999),
    lesson_commands.Predict(10, Settings()),
    lesson_commands.Compare(5, (Settings(), Settings(batch_size=256)), 30_000),
    lesson_commands.FindLargest(11),
    lesson_commands.CallOff(12),
    commands.Pace(13, 0.5),
    lesson_commands.HandOver(14),
    lesson_commands.GoOn(15),
    lesson_commands.Start(1, Settings(), resume=True, free={"GPU-a0": 2**33}),
    commands.Stop(),
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
