"""The messages of a worker that observes an invented program other than the lesson's."""

from __future__ import annotations

from vramtop.protocol.messages import (
    Device,
    Difference,
    Expectation,
    Hello,
    Layer,
    Measured,
    Program,
    Sample,
)
from vramtop.protocol.split import Anatomy, Moment, Peak, Phase, Split

MIB = 2**20
DEVICE = Device("cpu", "a processor", 16 * 2**30)
HELLO = Hello(5, 11, "2.14.1", DEVICE)
LAYERS = (
    Layer("transformer.wte", (1024, 768), 38_597_376, 154_389_504, "Embedding", 38_597_376, 0),
    Layer("transformer.h.0.attn", (1024, 768), 2_362_368, 9_449_472, "Attention", 2_359_296, 3_072),
    Layer("transformer.h.0.mlp", (1024, 768), 4_722_432, 18_889_728, "MLP", 4_718_592, 3_840),
    Layer("lm_head", (1024, 50_257), 0, 0, "Linear", 0, 0),
)
PROGRAM = Program(
    "train_gpt2.py",
    DEVICE,
    LAYERS,
    (
        Expectation("parameters", "4 × 45,682,176", 182_728_704),
        Expectation("gradients", "2 × 45,682,176", 91_364_352),
        Expectation("activations", "34 × s·b·h", 100 * MIB),
    ),
)
_P, _G, _A = 182_728_704, 91_364_352 + 4096, 130 * MIB
LOADED = Split(parameters=_P, batch_data=16_384)
_FORWARD = Split(parameters=_P, batch_data=16_384, activations=_A)
PEAK = Split(parameters=_P, gradients=_G, batch_data=16_384, temporaries=MIB)
_MOMENTS: tuple[tuple[Phase, Split], ...] = (
    ("load", LOADED),
    ("forward", _FORWARD),
    ("backward", PEAK),
    ("optimizer", Split(parameters=_P, gradients=_G, batch_data=16_384)),
    ("zero_grad", LOADED),
)
MEASURED = Measured(
    step=7,
    settled=True,
    anatomy=Anatomy(
        dict(_MOMENTS),
        Split(_P, _G, 0, 16_384, _A, MIB),
        Peak(_FORWARD.total, "forward", "aten.native_layer_norm.default", _FORWARD),
        tuple(Moment(phase, split) for phase, split in _MOMENTS),
    ),
    differences=(
        Difference("parameters", 0),
        Difference("gradients", 4096, ("all-reduce pads its buckets", "padded buckets")),
        Difference("activations", 30 * MIB),
    ),
)


def step(number: int, *, loss: float | None = None, phase: Phase = "zero_grad") -> Sample:
    """A step that took half a second, or the boundary at which one is held."""
    split = None if phase == "zero_grad" else dict(_MOMENTS)[phase]
    return Sample(
        step=number, phase=phase, split=split, loss=loss, step_seconds=0.5, resident=2**29
    )


STEPS = tuple(step(number) for number in range(1, 9))
BEGUN = (HELLO, PROGRAM, *STEPS, MEASURED)
