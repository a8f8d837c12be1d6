"""A hook is called around each operator of a recorded step, and may refuse it."""

from __future__ import annotations

import pytest
import torch
from vramtop.observer.ownership import Owners
from vramtop.observer.recording import Recording

CPU = torch.device("cpu")


class Noting:
    """Notes each call and the bytes held at it; refuses operators of one name."""

    def __init__(self, refused=""):
        self.calls = []
        self.refused = refused

    def before(self, recording, operator, *_):
        self.calls.append(("before", str(operator), recording.held, recording.held_before))
        if str(operator) == self.refused:
            error = ZeroDivisionError("refused")
            recording.fail(error)
            raise error

    def after(self, recording, operator, _):
        self.calls.append(("after", str(operator), recording.held, recording.held_before))


def test_a_hook_is_called_with_the_bytes_held_before_and_after_each_operator():
    hook = Noting()
    with Recording(CPU, Owners((), ()), hook=hook):
        first = torch.zeros(2)
        second = first + 1
    assert second.sum() == 2
    assert hook.calls == [
        ("before", "aten.zeros.default", 0, 0),
        ("after", "aten.zeros.default", 8, 0),
        ("before", "aten.add.Tensor", 8, 8),
        ("after", "aten.add.Tensor", 16, 8),
    ]


def test_an_operator_that_a_hook_refuses_never_runs_and_is_where_the_step_failed():
    recording = Recording(CPU, Owners((), ()), hook=Noting("aten.add_.Tensor"))
    values = torch.zeros(2)

    def program():
        with recording:
            recording.begin("optimizer")
            kept = values * 2
            values.add_(1)
            del kept

    with pytest.raises(ZeroDivisionError):
        program()
    assert recording.failure == ("optimizer", "aten.add_.Tensor")
    assert [held.bytes for held in recording.alive()] == [8]
    assert torch.equal(values, torch.zeros(2))


def test_buffers_that_a_hook_reports_come_and_go_within_the_operator():
    class Buffers(Noting):
        def after(self, recording, *_):
            recording.pass_through(100, 20)

    with Recording(CPU, Owners((), ()), hook=Buffers()) as recording:
        torch.zeros(2)
    log = recording.log()
    ((_, changes),) = log.phases
    run = log.operators.index("aten.zeros.default")
    assert [(size, of) for _, size, of in changes] == [
        (8, run), (100, run), (20, run), (-100, run), (-20, run), (-8, run),
    ]  # fmt: skip
