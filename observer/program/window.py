"""A window: what happens in the program while allocations are recorded, until two periods are over.

All of it takes place in the thread that began the window; other threads are left alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from threading import get_ident

import torch
from torch import nn

from ..ownership import tensors_in
from ..private import cublas_workspace_size, cublaslt_workspace_size, in_backward
from .device_log import DeviceLog, Message
from .lines import NOWHERE, Lines
from .owners import Owned, Owners
from .periods import Done, Periods
from .recorder import Recorder
from .tables import Table


class Window:
    """Notes calls of modules, backward passes and optimizers' steps.

    `done` says what two periods it has recorded, once it has; then it is to be closed.
    """

    def __init__(self, recorder: Recorder, owners: Owners, periods: Periods) -> None:
        self.thread = get_ident()
        self.done: Done | None = None
        self.source = recorder.source
        self._recorder, self._owners, self._periods = recorder, owners, periods
        self._logs = [DeviceLog(recorder, device) for device in recorder.devices]
        self._modules: Table[int, list[str]] = Table()
        self._paths = owners.module_paths()
        self._running: list[int] = []
        self._backward = 0
        self._outputs_at = -1
        self._stepping: list[int] = []
        self._marks = 0
        self._buckets: list[int] = []
        self._times: list[float] = []
        self._inputs: list[tuple[int, list[Message]]] = []
        recorder.start()
        self._parameters = list(self._look_up(owners.parameters()))
        self._mark("window")
        self._sight_all()

    # ---- what happens -----------------------------------------------------------------------

    def call(self, module: nn.Module, args: tuple[object, ...]) -> None:
        """A module is called."""
        if not self._running and not in_backward():
            if self._owners.add_module(module):
                self._paths = self._owners.module_paths()
                self._parameters = list(self._look_up(self._owners.parameters()))
            self._inputs.append((self._marks, []))
            self._sight_inputs("inputs", args)
            self._mark("call")
        path, kind = self._paths.get(id(module), ("", type(module).__name__))
        self._running.append(self._modules.add(id(module), [path, kind]))
        self._note_running()

    def call_end(self, module: nn.Module, kwargs: Mapping[str, object]) -> None:
        """A module's call has ended, or failed."""
        if not self._running:
            return
        self._running.pop()
        self._note_running()
        if self._running or in_backward():
            return
        for name, value in kwargs.items():
            self._sight_inputs(name, value, at_end=True)
        at = self._mark("call_end")
        self._finish(self._periods.call(at, id(module), grad=torch.is_grad_enabled()))

    def backward_outputs(self) -> None:
        """A backward pass is about to make the gradients of its outputs: here it begins."""
        if not self._backward:
            self._outputs_at = self._marks
            for log in self._logs:
                log.expect_mark()

    def backward(self) -> None:
        """A backward pass begins, where it was about to if that was told."""
        self._backward += 1
        if self._backward == 1:
            self._mark("backward", expected=self._outputs_at == self._marks)

    def backward_end(self) -> None:
        """A backward pass has ended, or failed."""
        self._backward -= 1
        if self._backward == 0:
            self._sight_gradients(again=True)
            at = self._mark("backward_end")
            self._finish(self._periods.backward(at))

    def optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer's step begins. Within a backward pass, that may be in another thread."""
        self._owners.add_optimizer(optimizer)
        if self._backward:
            self._sight_gradients(again=True)
            return
        if id(optimizer) in self._stepping:
            self._stepping.clear()  # its step before has failed
        self._stepping.append(id(optimizer))
        if len(self._stepping) == 1:
            self._sight_gradients(again=False)
            self._mark("optimizer")

    def optimizer_end(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer's step has ended."""
        if self._backward:
            self._periods.optimizer_in_backward()
        elif self._stepping:
            self._stepping.pop()
            if not self._stepping:
                self._sight_gradients(again=False)
                self._sight_state(again=False)
                at = self._mark("optimizer_end")
                self._finish(self._periods.optimizer(at, id(optimizer)))

    def begin_after(self, optimizer: torch.optim.Optimizer) -> None:
        """The window has begun right after this optimizer's step."""
        self._periods.optimizer(self._mark("optimizer_end"), id(optimizer))

    # ---- its end ----------------------------------------------------------------------------

    def close(self) -> None:
        """Record no more. The window may be done or not."""
        if self.done is not None:
            self._sight_all()
            self._buckets = self._owners.buckets()
        self._recorder.stop()

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
            "modules": self._modules.values,
            "optimizer": self._optimizer_name(done),
            "tensors": sorted(self._owners.memory),
            "workspace_sizes": _workspace_sizes(self._recorder),
            "bucket_sizes": self._buckets,
        }
        messages = []
        for log in self._logs:
            lines = Lines()
            messages.append(common | log.message(done.bounds, lines))
        return messages

    @property
    def stepping(self) -> bool:
        """Whether an optimizer's step has begun and not ended."""
        return bool(self._stepping)

    @property
    def seconds(self) -> float:
        """How long the window's periods took, all together."""
        return self._times[-1] - self._times[0]

    # ---- notes ------------------------------------------------------------------------------

    def _mark(self, kind: str, *, expected: bool = False) -> int:
        for log in self._logs:
            log.mark(kind, expected=expected)
        self._times.append(time.perf_counter())
        self._marks += 1
        return self._marks - 1

    def _finish(self, done: Done | None) -> None:
        self.done = self.done or done

    def _note_running(self) -> None:
        running = self._running[-1] if self._running else NOWHERE
        for log in self._logs:
            log.runs(running)

    def _look_up(self, owned: Iterable[Owned]) -> Iterable[Owned]:
        self._parameter_names: dict[int, str] = {}
        for each in owned:
            self._parameter_names[id(each.tensor)] = each.path
            yield each

    def _sight_inputs(self, name: str, value: object, *, at_end: bool = False) -> None:
        """Note what goes into the latest call. PyTorch tells named arguments only at its end."""
        found = list(tensors_in(value))
        for place, tensor in enumerate(found):
            path = name if len(found) == 1 else f"{name}[{place}]"
            called_at, inputs = self._inputs[-1]
            dtype = str(tensor.dtype).removeprefix("torch.")
            inputs.append({"dtype": dtype, "shape": list(tensor.shape)})
            for log in self._logs:
                log.sight(
                    "batch_data",
                    [Owned(path, tensor)],
                    older=at_end,
                    mark=called_at if at_end else None,
                )

    def _sight_gradients(self, *, again: bool) -> None:
        for log in self._logs:
            log.sight_gradients(self._parameters, again=again)

    def _sight_state(self, *, again: bool) -> None:
        state = list(self._owners.optimizer_state(self._parameter_names))
        for log in self._logs:
            log.sight_state(state, again=again)

    def _sight_all(self) -> None:
        """Note whose everything is that is alive here."""
        self._parameters = list(self._look_up(self._owners.parameters()))
        for log in self._logs:
            log.sight("parameters", self._parameters, older=True)
        self._sight_state(again=True)
        self._sight_gradients(again=True)

    def _optimizer_name(self, done: Done) -> str:
        for optimizer in self._owners.optimizers():
            if id(optimizer) == done.optimizer:
                return type(optimizer).__name__
        return ""


def _workspace_sizes(recorder: Recorder) -> list[int]:
    """The sizes in which cuBLAS takes its workspaces, in bytes; none where it does not tell."""
    if recorder.source != "trace":
        return []
    asked = (cublas_workspace_size(), cublaslt_workspace_size())
    return sorted({ask() for ask in asked if ask is not None})
