"""Messages as the worker sends them, made by hand, and the state after them."""

from __future__ import annotations

from functools import reduce
from typing import Any

from msgspec.structs import replace
from vramtop.protocol.lesson.formula import lesson
from vramtop.protocol.lesson.messages import (
    Configured,
    Data,
    LessonMeasured,
    LessonOutOfMemory,
    LessonSample,
    Noise,
    Picture,
    Stage,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Device, Hello, Layer
from vramtop.protocol.split import Anatomy, Moment, Peak, Phase, Split
from vramtop.trainer.session.expectations import differences, expectations
from vramtop.tui.state.folding import fold
from vramtop.tui.state.lesson.folding import begun
from vramtop.tui.state.state import State
from vramtop.tui.widgets.log_lines import log_lines
from vramtop.tui.worker.link import Received

P = 407_080
HELLO = Hello(1, 7, "2.9.0", Device("cpu", "a processor", 16 * 2**30))
DATA = Data("sample", "MNIST sample", 6000, 1000, (1, 28, 28), ("0", "1"))


def configured(**values: object) -> Configured:
    settings = Settings(**values)
    formula = lesson(
        pixels=784,
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        optimizer=settings.optimizer,
    )
    layer = Layer("MLP", (10,), P // 4, P, "Linear", P // 4 - 10, 10)
    return Configured(
        "MLP",
        HELLO.device,
        (layer,),
        expectations(settings, DATA.shape),
        settings=settings,
        data=DATA,
        formula=formula,
    )


def measured(
    batch_size: int = 64, *, settled: bool = True, settings: Settings | None = None
) -> LessonMeasured:
    """A step with Adam; `settings` are those whose formulas it is compared with."""
    data = 3144 * batch_size
    load = Split(parameters=P, optimizer_state=2 * P + 16, batch_data=data)
    forward = Split(P, 0, 2 * P + 16, data, 592 * batch_size + 8, 0)
    peak = Split(P, P, 2 * P + 16, data, 40 * batch_size + 4, P)
    high = Split(P, P, 2 * P + 16, data, 592 * batch_size + 8, P)
    moments: tuple[tuple[Phase, Split], ...] = (
        ("load", load),
        ("forward", forward),
        ("backward", forward),
        ("optimizer", peak),
        ("zero_grad", load),
    )
    anatomy = Anatomy(
        dict(moments),
        high,
        Peak(peak.total, "optimizer", "aten.div.Tensor", peak),
        tuple(Moment(phase, split) for phase, split in moments),
    )
    settings = settings or Settings(batch_size=batch_size)
    return LessonMeasured(
        step=9,
        batch_size=batch_size,
        settled=settled,
        anatomy=anatomy,
        differences=differences(settings, expectations(settings, DATA.shape), high),
    )


def sample(
    images: int = 640,
    *,
    batch_size: int = 64,
    loss: float | None = 0.5,
    phase: Phase = "zero_grad",
    split: Split | None = None,
) -> LessonSample:
    return LessonSample(
        step=images // batch_size,
        epoch=1,
        position=images,
        images=images,
        batch_size=batch_size,
        loss=loss,
        phase=phase,
        split=split,
        step_seconds=1e-3,
        samples_per_second=64e3,
        resident=2**29,
    )


BEGUN = (HELLO, configured(), sample(), measured())


def begun_on(device: Device) -> tuple[Received, ...]:
    """As `BEGUN`, on this device."""
    return (replace(HELLO, device=device), replace(configured(), device=device), *BEGUN[2:])


def after(*messages: Received) -> State:
    """The state after these messages."""
    return reduce(fold, messages, begun(Settings()))


def out_of_memory(**other: Any) -> LessonOutOfMemory:
    """A batch of 8,192 that did not fit in forward; training goes on with 64."""
    usual: dict[str, Any] = {
        "batch_size": 8192,
        "needed": 43_200_000,
        "limit": 24 * 2**20,
        "phase": "forward",
        "operator": "aten.relu.default",
        "split": Split(),
        "restored": 64,
        "detail": "no",
    }
    return LessonOutOfMemory(**(usual | other))


def picture(index: int = 0, *, shape: tuple[int, int, int] = (1, 28, 28)) -> Picture:
    """An image whose values count up, row after row, all channels alike."""
    channels, height, width = shape
    values = channels * height * width
    stages = (
        Stage("as stored", "uint8", shape, values, 0, 255, 33.3),
        Stage("ToTensor", "float32", shape, 4 * values, 0, 1, 0.13),
        Stage("Normalize", "float32", shape, 4 * values, -0.4242, 2.8215, 0.0012),
        Stage("in a batch of 1", "float32", (1, *shape), 4 * values, -0.4242, 2.8215, 0.0012),
        Stage("de-normalised", "uint8", shape, values, 0, 255, 33.3),
        Stage("permute(1, 2, 0)", "uint8", (height, width, channels), values, 0, 255, 33.3),
    )
    pixels = bytes(at % 256 for at in range(height * width) for _ in range(channels))
    return Picture(index, 5, "five", "sample", (0.1307, 0.3081), stages, pixels)


def noise(scale: float | None = 310.0, low: float = 180.0, high: float = 520.0) -> Noise:
    if scale is None:
        return Noise(640, 64, 12, 120.0, -0.1, None, None, None, Split(P))
    return Noise(640, 64, 1234, 120.0, 120.0 / scale, scale, low, high, Split(P))


def log_of(state: State) -> tuple[str, ...]:
    """The lines of the log."""
    return tuple(line for entry in state.log for line in log_lines(entry))
