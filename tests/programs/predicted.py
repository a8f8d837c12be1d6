"""What was predicted of a change to a training, beside what the changed training holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import FromObserver, WatchedStep
from vramtop.protocol.observed.report import StepReport, WhatIf

if TYPE_CHECKING:
    from simulation import Environment, SimulatedGpu

RELEASED = "gradients released after the optimizer's step"
NO_STATE = "an optimizer without state"
ONE_STATE = "an optimizer with one state tensor a parameter"
LOOP = "the optimizer takes one parameter after another"
BFLOAT16 = "parameters, gradients and state in bfloat16"
CHECKPOINTED = "checkpointing of "


class Prediction(NamedTuple):
    """A row of a report, and the bytes that a step had `before` and with the change made.

    `predicted` has cuBLAS's workspace, as the measured ones do.
    """

    row: WhatIf
    predicted: int
    before: int
    measured: int

    @property
    def error(self) -> int:
        """How many bytes more were predicted than there were."""
        return self.predicted - self.measured


def watched(
    simgpu: SimulatedGpu, machine: Environment, training: str, change: str = ""
) -> StepReport:
    """The report of a step of a training of `changes.py`, as it is or with a change."""
    messages = json.loads(run(simgpu, machine, f"changes.observed({training!r}, {change!r})"))
    steps = [
        message
        for each in messages
        if isinstance(message := msgspec.convert(each, FromObserver), WatchedStep)
    ]
    return report(steps[-1], 1)


def predictions(simgpu: SimulatedGpu, machine: Environment, training: str) -> list[Prediction]:
    """All that is predicted of a training, each with the change made and measured."""
    step = watched(simgpu, machine, training)
    assert step.allocator is not None
    changes = ["", *(row.what for row in step.what_if)]
    call = f"[changes.measured({training!r}, change) for change in {changes}]"
    before, *measured = json.loads(run(simgpu, machine, call))
    assert before == step.allocator.requested_peak
    return [
        Prediction(row, row.peak + step.allocator.workspace, before, after)
        for row, after in zip(step.what_if, measured, strict=True)
    ]


def run(simgpu: SimulatedGpu, machine: Environment, call: str) -> str:
    """What a call of a function of `changes.py` gives, in JSON."""
    return simgpu.run_torch(f"import json, changes; print(json.dumps({call}))", machine)
