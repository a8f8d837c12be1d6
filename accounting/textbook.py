"""What a training of any model holds by the textbook, without a batch and its activations.

- PyTorch's gradients and optimizer state have the type of the parameter that they belong to.
- With master weights there is a float32 copy of the trained parameters, to which the optimizer's
  state belongs (ZeRO: Rajbhandari et al., 2020, section 3.1).
- Under autocast parameters are float32. Copies in 16 bits are kept until it ends, of trained
  weights only, and not of those that it computes with in float32: the formula is what they take at
  most (`cached_cast` in PyTorch's `autocast_mode.cpp`).
- LoRA (Hu et al., 2021) trains adapters beside parameters that are frozen.
- ZeRO shares out the state (stage 1), gradients too (stage 2), parameters too (stage 3, which is
  what FSDP does). Each device has an equal part, rounded up to whole elements.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple, get_args

import msgspec
from msgspec.structs import replace
from vramtop.protocol.lesson.formula import FLOAT32_BYTES, STATE_FLOATS
from vramtop.protocol.lesson.settings import OptimizerName

Dtype = Literal["float32", "bfloat16", "float16"]
Mixed = Literal["autocast", "master"]
DTYPES: dict[Dtype, int] = {"float32": FLOAT32_BYTES, "bfloat16": 2, "float16": 2}
MIXED: tuple[Mixed, ...] = get_args(Mixed)
_SHORT_BYTES = 2  # of what is computed with in mixed precision


class Model(msgspec.Struct, frozen=True):
    """A model of so many `parameters`, and how it is trained.

    With `adapters`, only so many parameters are trained, which come on top of the others. Of
    `devices` each has a part of what the `stage` of ZeRO shares out.
    """

    parameters: int
    dtype: Dtype = "float32"
    mixed: Mixed | None = None
    adapters: int | None = None
    devices: int = 1
    stage: int = 3


class Term(msgspec.Struct, frozen=True):
    """Bytes on a device, and the formula that gives them."""

    name: str
    bytes: int
    formula: str


def terms(model: Model, optimizer: OptimizerName) -> tuple[Term, ...]:
    """Parameters, gradients, optimizer state, and what comes with mixed precision."""
    size = DTYPES[model.dtype]
    trained = model.parameters if model.adapters is None else model.adapters
    own = _SHORT_BYTES if model.mixed == "master" else size
    of_state = FLOAT32_BYTES if model.mixed == "master" else size
    share = partial(_share, model)
    found = [_term("parameters", share(model.parameters, 3), own)]
    if model.adapters is not None:
        found.append(_term("adapters", share(model.adapters, 3), own))
    found.append(_term("gradients", share(trained, 2), own))
    if model.mixed == "master":
        found.append(_term("master weights", share(trained, 1), FLOAT32_BYTES))
    found.append(_state(share(trained, 1), of_state, STATE_FLOATS[optimizer]))
    if model.mixed == "autocast":
        copies = _term("autocast copies", _Share(trained, 1), _SHORT_BYTES)
        found.append(replace(copies, formula=f"{copies.formula} at most"))
    return tuple(found)


class _Share(NamedTuple):
    """The part of so many values that each of so many devices has."""

    whole: int
    devices: int

    @property
    def values(self) -> int:
        return -(-self.whole // self.devices)

    def formula(self, size: int) -> str:
        shared = f" ÷ {self.devices:,}" if self.devices > 1 else ""
        return f"{self.whole:,} × {size} B{shared}"


def _share(model: Model, count: int, stage: int) -> _Share:
    """What is shared out from this stage of ZeRO on."""
    return _Share(count, model.devices if model.stage >= stage else 1)


def _term(name: str, share: _Share, size: int) -> Term:
    return Term(name, share.values * size, share.formula(size))


def _state(share: _Share, size: int, floats: int) -> Term:
    """The optimizer's state, so many values a parameter."""
    formula = share.formula(size)
    formulas = ("none", f"{formula}: a velocity", f"2 × {formula}: two moments")
    return Term("optimizer state", floats * share.values * size, formulas[floats])
