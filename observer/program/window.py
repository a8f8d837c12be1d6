"""A window: what happens in the program while allocations are recorded, until two periods are over.

All of it takes place in the thread that began the window; other threads are left alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Set
from copy import copy
from threading import get_ident

import torch
from torch import nn

from ..ownership import tensors_in
from ..private import in_backward
from ..workspaces import workspace_sizes
from .called import Called
from .device_log import DeviceLog, Message
from .hooks import others_in_backward, within_module, within_step
from .lines import NOWHERE, Lines
from .owners import Owned, Owners
from .parameters import Parameters
from .periods import Done, Periods
from .recorder import Recorder
from .thread_life import ThreadLife

_BEGINNINGS = ("window", "optimizer_end")  # the marks with which a step begins


class Window:
    """Notes calls of modules, backward passes and optimizers' steps. It keeps no tensor alive.

    `done` says what two periods it has recorded, once it has; then it is to be closed. It is
    `whole` if the program has made no step before.
    """

    def __init__(
        self, recorder: Recorder, owners: Owners, periods: Periods, *, whole: bool = False
    ) -> None:
        self.thread, self._thread_life = get_ident(), ThreadLife()
        self.done: Done | None = None
        self.abandoned = False  # it is no longer wanted, and its own thread is to close it
        self.source = recorder.source
        self._whole = whole
        self._told: Done | None = None  # the first step, where that was told
        self.recorder, self._owners, self._periods = recorder, owners, periods
        self.logs = [DeviceLog(recorder, device) for device in recorder.devices]
        self._called = Called()
        self._paths = owners.module_paths()
        self._running: list[int] = []
        self._backward = 0
        self._outputs_at = -1
        self._stepping: list[int] = []
        self._marks = 0
        self._at_end: Message = {}
        self._latest, self._began_at = "", 0  # a mark, and the number of the one that began a step
        self._times: list[float] = []
        self._opened = time.perf_counter()
        self.seconds = 0.0  # how long it was open, once it is closed
        self._inputs: list[tuple[int, list[Message]]] = []
        self._alone, self._own = True, set[int]()
        self._parameters = Parameters(owners)

    def begin(self, stepping: Iterable[int] = ()) -> None:
        """Begin to record, in a thread in which these optimizers step. Raises `CannotRecord`."""
        if others_in_backward():
            self.not_alone()
        for optimizer in self._owners.optimizers():
            if id(optimizer) in stepping:
                self._own.update(self._owners.of_optimizer(optimizer))
        self.recorder.start()
        self._mark("window")
        self._sight_all()

    # ---- what happens -----------------------------------------------------------------------

    def call(self, module: nn.Module, args: tuple[object, ...]) -> None:
        """A module is called."""
        self._end_what_is_lost(calls=1)
        if in_backward():
            self.called_again(module)
        elif not self._running:
            if id(module) not in self._paths:
                self._owners.add_module(module)
                self._paths = self._owners.module_paths()
                self._parameters.look_up()
            if not self._alone and (fresh := self._owners.of_module(module) - self._own):
                self._own |= fresh
                self._sight_gradients(again=True)
            self._inputs.append((self._marks, []))
            self._sight_inputs("inputs", args)
            self._mark("call")
        self._running.append(self._called.add(module, self._paths))
        self._note_running()

    def called_again(self, module: nn.Module) -> None:
        """A module is called in a backward pass, in any thread of autograd's."""
        if self._alone:
            self._called.again(module, self._marks)

    def call_end(
        self, module: nn.Module, kwargs: Mapping[str, object], failed: bool, single: bool
    ) -> None:
        """A module's call has ended, or failed; `single`: it has returned one tensor."""
        if not self._running:
            return
        number = self._running.pop()
        if not failed:
            self._called.returned(number, single=single)
        self._note_running()
        if self._running or in_backward():
            return
        for name, value in kwargs.items():
            self._sight_inputs(name, value, at_end=True)
        at = self._mark("call_end")
        if not failed:
            self._finish(self._periods.call(at, id(module), grad=torch.is_grad_enabled()))

    def backward_outputs(self) -> None:
        """A backward pass is about to make the gradients of its outputs: it begins here."""
        if not self._backward:
            self._outputs_at = self._marks
            for log in self.logs:
                log.expect_mark()

    def backward(self) -> None:
        """A backward pass begins: here, or where `backward_outputs` noted it just before."""
        self._end_what_is_lost()
        self._backward += 1
        if self._backward == 1:
            self._mark("backward", expected=self._outputs_at == self._marks)

    def backward_end(self, failed: bool) -> None:
        """A backward pass has ended, or failed."""
        if self._backward == 0:
            return  # its beginning was interrupted before it was noted
        self._backward -= 1
        if self._backward == 0:
            self._sight_gradients(again=True)
            at = self._mark("backward_end")
            if not failed:
                self._finish(self._periods.backward(at))

    def optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer's step begins. Within a backward pass, that may be in another thread."""
        self._owners.add_optimizer(optimizer)
        parameters = self._owners.of_optimizer(optimizer)
        if self._backward:
            self._sight_gradients(again=True, only=parameters)
            return
        self._own |= parameters
        self._end_what_is_lost()
        self._stepping.append(id(optimizer))
        if len(self._stepping) == 1:
            self._sight_gradients(again=False)
            self._mark("optimizer")

    def optimizer_end(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer's step has ended."""
        if self._backward:
            self._periods.optimizer_in_backward()
        elif id(optimizer) in self._stepping:
            # Those after it were within it, and have failed.
            del self._stepping[self._stepping.index(id(optimizer)) :]
            if not self._stepping:
                self._sight_gradients(again=False)
                self._sight_state(again=False)
                at = self._mark("optimizer_end")
                self._finish(self._periods.optimizer(at, id(optimizer)))

    def not_alone(self) -> None:
        """Another thread of the program runs backward passes too."""
        self._alone = False

    def begin_after(self, optimizer: torch.optim.Optimizer) -> None:
        """The window has begun right after this optimizer's step."""
        self._periods.optimizer(self._mark("optimizer_end"), id(optimizer))

    # ---- its end ----------------------------------------------------------------------------

    def close(self) -> None:
        """Stop recording. The window may be done or not."""
        try:
            if self.done is not None:
                self._look_around()
        finally:
            self.stop()
            self._parameters.clear()
            self.seconds = time.perf_counter() - self._opened

    def so_far(self) -> Done | None:
        """What it has recorded though it is not done: a step at least, and not yet told."""
        done = self._periods.so_far(whole=self._whole)
        return None if done == self._told else done

    def first_step(self) -> Window | None:
        """The program's first step, to tell while this goes on. Raises `CannotRecord`."""
        done = self.so_far() if self._whole and self._told is None else None
        if done is None or not 0 < len(self._owners.optimizers()) <= self._periods.stepped:
            return None
        recorder = self.recorder.so_far()
        if recorder is None:
            return None
        self._told = done
        self._look_around()
        told = copy(self)
        told.done, told.recorder = done, recorder
        told.logs = [log.told_by(recorder) for log in self.logs]
        return told

    def _look_around(self) -> None:
        """Note what there is at the end of a step."""
        self._sight_all()
        for log in self.logs:
            log.note_free()
        self._at_end = {
            "bucket_sizes": self._owners.buckets(),
            "bucket_views": self._owners.bucket_views(),
            "autocast_sizes": self._parameters.autocast_sizes(self.recorder.devices[0].type),
        }

    def stop(self) -> None:
        """Stop recording. It may be called twice."""
        self.recorder.stop()

    def messages(self, number: int) -> list[Message]:
        """What is to be sent of the window that is done, a message for each device."""
        done = self.done
        assert done is not None
        _, cut, end = done.bounds
        common: Message = {
            "type": "watched_step",
            "number": number,
            "kind": done.kind,
            "seconds": self._times[end] - self._times[cut],
            "inputs": next((inputs for at, inputs in self._inputs if at > cut), []),
            "modules": self._called.values,
            "recomputed": self._called.again_between(cut, end),
            "single": self._called.single,
            "optimizer": self._owners.optimizer_name(done.optimizer),
            "tensors": sorted(self._owners.memory),
            "workspace_sizes": workspace_sizes(self.recorder.devices),
            **self._at_end,
        }
        messages = []
        for log in self.logs:
            lines = Lines()
            messages.append(common | log.message(done.bounds, lines))
        return messages

    @property
    def gap(self) -> str:
        """The phase of a thread that is in no call, backward pass or step; empty if not known yet.

        What follows a call belongs to its loss, unless nothing can be differentiated.
        """
        if self._latest == "call_end" and torch.is_grad_enabled():
            return "forward"
        return "load" if self._latest in (*_BEGINNINGS, "call_end") else ""

    @property
    def step_inputs(self) -> list[Message]:
        """What went into the step's first call so far; nothing where other threads train too."""
        found = (inputs for at, inputs in self._inputs if at > self._began_at)
        return next(found, []) if self._alone else []

    @property
    def thread_has_ended(self) -> bool:
        """Whether the thread that began the window is gone, so that it is never done."""
        return self._thread_life.is_over

    # ---- notes ------------------------------------------------------------------------------

    def _mark(self, kind: str, *, expected: bool = False) -> int:
        for log in self.logs:
            log.mark(kind, expected=expected)
        self._times.append(time.perf_counter())
        self._latest = kind
        if kind in _BEGINNINGS:
            self._began_at = self._marks
        self._marks += 1
        return self._marks - 1

    def _finish(self, done: Done | None) -> None:
        self.done = self.done or done

    def _note_running(self) -> None:
        running = self._running[-1] if self._running else NOWHERE
        for log in self.logs:
            log.runs(running)

    def _end_what_is_lost(self, calls: int = 0) -> None:
        """End the calls and steps whose end PyTorch did not report.

        The `calls` innermost calls have just begun, and are not among them.
        """
        if self._running and not within_module(calls):
            self._running.clear()
            self._note_running()
            self._mark("call_end")
        if self._stepping and not within_step():
            self._stepping.clear()
            self._mark("optimizer_end")

    def _sight_inputs(self, name: str, value: object, *, at_end: bool = False) -> None:
        """Note what goes into the latest call. PyTorch tells named arguments only at its end."""
        found = list(tensors_in(value))
        for place, tensor in enumerate(found):
            path = name if len(found) == 1 else f"{name}[{place}]"
            called_at, inputs = self._inputs[-1]
            dtype = str(tensor.dtype).removeprefix("torch.")
            inputs.append({"dtype": dtype, "shape": list(tensor.shape)})
            if tensor.grad_fn is not None:
                continue  # what another network has made of its batch
            mark = called_at if at_end else None
            for log in self.logs:
                log.sight("batch_data", [Owned(path, tensor)], older=at_end, mark=mark)

    def _sight_gradients(self, *, again: bool, only: Set[int] | None = None) -> None:
        """Note the gradients of these parameters, of all that no other thread may write to.

        To read a gradient while another thread's backward pass writes it would end the process.
        """
        if only is None and not self._alone:
            only = self._own
        parameters = [
            each for each in self._parameters.alive() if only is None or id(each.tensor) in only
        ]
        for log in self.logs:
            log.sight_gradients(parameters, again=again)

    def _sight_state(self, *, again: bool) -> None:
        names = {id(each.tensor): each.path for each in self._parameters.alive()}
        state = list(self._owners.optimizer_state(names))
        for log in self.logs:
            log.sight_state(state, again=again)

    def _sight_all(self) -> None:
        """Note whose everything is that is alive here."""
        self._parameters.look_up()
        parameters = self._parameters.alive()
        for log in self.logs:
            log.sight("parameters", parameters, older=True)
        self._sight_state(again=True)
        self._sight_gradients(again=True)
