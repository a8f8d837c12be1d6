"""Two equal steps of a training, written out."""

from __future__ import annotations

from fake import FakeProgram

# Bytes that it has all the time.
FIXED = {"parameters": 1000, "optimizer_state": 2000, "other": 50}


def training() -> FakeProgram:
    """Two equal steps of a model of one layer, whose loss is released a step later."""
    program = FakeProgram()
    weight = program.hold(1000)
    state = program.hold(2000)
    program.hold(50)
    loss = program.hold(4)
    for _ in range(2):
        program.period()
        batch = program.take(100, "train.py:7")
        with program.call(batch):
            kept = program.take(300, "train.py:3", "fc")
            program.give(program.take(500, "train.py:3", "fc"))
        program.give(loss)
        loss = program.take(4, "train.py:9")
        with program.backward():
            program.give(program.take(800))
            gradient = program.take(1000)
            program.give(kept)
        program.give(program.take(8, "train.py:11"))
        program.see("gradients", gradient, "fc.weight", (10, 25))
        with program.optimizer():
            program.give(program.take(16, "train.py:12"))
        program.give(batch)
        program.give(gradient)
    program.see("parameters", weight, "fc.weight", (10, 25))
    program.see("optimizer_state", state, "fc.weight", (10, 25), "exp_avg")
    program.period()
    return program
