"""The observer inside a program: it opens a window when one is due, and sends what was recorded.

An error of its own removes it; the program goes on.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Lock, Thread, get_ident

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from ..private import call_when_out_of_memory, in_backward
from .choice import fitting_recorder
from .denied import out_of_memory
from .first_lines import FirstLines
from .greeting import greeting
from .hooks import Hooks, within_module
from .owners import Owners
from .pacing import Pacing
from .periods import Periods
from .recorder import CannotRecord
from .window import Window

Message = dict[str, object]

_PROGRESS_SECONDS = 0.5
_IDLE_SECONDS = 1.0  # without an optimizer's step; then a window begins with any call
_RECENT = 64
_TRIES = 200  # to take out hooks, 10 ms apart


class Agent:
    """Watches while at least one screen has joined.

    `send` takes each message; it may be called in any thread and must not wait. `since_start` says
    that the program has not allocated anything yet.
    """

    def __init__(self, send: Callable[[Message], None], *, since_start: bool) -> None:
        self._send, self._since_start = send, since_start
        self._hooks = Hooks(self)
        self._owners = Owners()
        self._first_lines = FirstLines()
        self._lock, self._shipping = Lock(), Lock()
        self._wake = Event()
        self._thread: Thread | None = None
        self._watching = self._hears_denials = False
        self._begin_again()

    def _begin_again(self) -> None:
        self._window: Window | None = None
        self._closed: deque[Window] = deque()
        self._failure: Exception | None = None
        self._pacing = Pacing()
        self._due = False
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._counts: Counter[int] = Counter()
        self._watched = self._inferences = 0
        self._searched_at = -1
        self._last_step: tuple[int, float] | None = None
        self._spent = 0.0

    # ---- screens come and go ----------------------------------------------------------------

    def hello(self) -> Message:
        """Who this program is."""
        return greeting(since_start=self._since_start)

    def join(self) -> None:
        """Somebody watches from now on."""
        with self._lock:
            if self._watching:
                return
            self._begin_again()
            self._watching = True
            self._wake.clear()
            self._hooks.watch_optimizers()
            self._look_for_work(time.perf_counter())
            self._thread = Thread(target=self._go_round, name="vramtop", daemon=True)
            self._thread.start()

    def begin(self) -> None:
        """Begin a window now, in the program's own thread."""
        self._see(self._open)

    def leave(self) -> None:
        """Nobody watches any more: nothing is recorded, and no hook remains."""
        with self._lock:
            self._watching = False
            self._first_lines.end()
            if self._window is not None and self._window.source == "trace":
                self._abandon()
        self._wake.set()
        if self._thread is not None and self._thread.ident != get_ident():
            self._thread.join()
        self._thread = None
        self._take_out()

    def end(self) -> None:
        """The process ends: send what is recorded completely, and how far the program came."""
        if self._watching:
            self._ship_all()
            self._send(self._progress())

    def forget(self) -> None:
        """In a forked child: nothing is watched there, and nothing of the parent's is touched."""
        self._lock, self._shipping, self._wake = Lock(), Lock(), Event()
        self._thread = None
        self._watching = False
        self._first_lines = FirstLines()
        self._take_out()

    def who(self, device: str, addresses: list[int]) -> Message:
        """Who holds the memory at these addresses."""
        from .holders import holders

        return {"type": "holders", "holders": holders(torch.device(device), addresses)}

    def _denied(self, device: int, wanted: int, allowed: int, free: int) -> None:
        """CUDA's allocator had to deny a request. Called by PyTorch, so it must not raise."""
        if self._watching:
            with suppress(Exception):
                self._send(out_of_memory(self._owners, device, wanted, allowed, free))

    # ---- what the program does, in its own threads ------------------------------------------

    def cuda_starts(self) -> None:
        """CUDA starts, in this thread."""
        self._see(self._cuda_starts)

    def call(self, module: nn.Module, args: tuple[object, ...]) -> None:
        """A module is called."""
        if self._mine():
            self._see(self._call, module, args)

    def call_end(self, module: nn.Module, kwargs: Mapping[str, object]) -> None:
        """A module's call has ended, or failed."""
        if self._window is not None and self._mine():
            self._see(self._in_window, Window.call_end, module, kwargs)

    def backward_outputs(self) -> None:
        """A backward pass is about to make the gradients of its outputs."""
        if self._window is not None and self._mine():
            self._see(self._in_window, Window.backward_outputs)

    def backward(self) -> None:
        """A backward pass begins."""
        if self._window is not None and self._mine():
            self._see(self._in_window, Window.backward)

    def backward_end(self) -> None:
        """A backward pass has ended, or failed."""
        if self._window is not None and self._mine():
            self._see(self._in_window, Window.backward_end)

    def optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer's step begins."""
        if self._window is not None and (self._mine() or in_backward()):
            self._see(self._in_window, Window.optimizer, optimizer)

    def optimizer_end(self, optimizer: Optimizer) -> None:
        """An optimizer's step has ended."""
        if self._watching and (self._mine() or in_backward()):
            self._see(self._optimizer_end, optimizer)

    def _mine(self) -> bool:
        window = self._window
        return window is None or window.thread == get_ident()

    def _see(self, note: Callable[..., None], *args: object) -> None:
        """Note what happens. Nothing that goes wrong in here reaches the program."""
        if not self._lock.acquire(blocking=False):
            return  # a screen leaves, or a signal came while something was noted
        began = time.perf_counter()
        try:
            if self._watching:
                note(*args)
            else:
                self._abandon()
        except CannotRecord as reason:
            self._miss(str(reason))
        except Exception as error:
            self._failure = self._failure or error
            self._abandon()
            self._wake.set()
        except BaseException:
            self._abandon()
            raise
        finally:
            self._spent += time.perf_counter() - began
            self._lock.release()

    def _cuda_starts(self) -> None:
        if self._since_start:
            self._first_lines.begin()
        window = self._window
        # An optimizer starts CUDA even where all tensors are the CPU's.
        if window is not None and window.source == "operators" and not window.stepping:
            self._abandon()  # it is the GPU that counts now
            self._recent.clear()
            self._look_for_work(time.perf_counter())

    def _call(self, module: nn.Module, args: tuple[object, ...]) -> None:
        if self._window is None:
            if not self._due or in_backward() or within_module():
                return
            self._open()
        if self._window is not None:
            self._in_window(Window.call, module, args)

    def _optimizer_end(self, optimizer: Optimizer) -> None:
        if in_backward():
            # It bounds no step; a window counts it as one that updates within backward.
            self._in_window(Window.optimizer_end, optimizer)
            return
        self._counts[id(optimizer)] += 1
        self._recent.append(id(optimizer))
        if self._window is not None:
            self._last_step = None
            self._in_window(Window.optimizer_end, optimizer)
            return
        now = time.perf_counter()
        last = self._last_step
        if last is None or last[0] == id(optimizer) or now - last[1] > _IDLE_SECONDS:
            if last is not None and last[0] == id(optimizer):
                self._pacing.plain_step(now - last[1])
            self._last_step = id(optimizer), now
        if self._due:
            self._open()
            self._in_window(Window.begin_after, optimizer)

    def _in_window(self, note: Callable[..., None], *args: object) -> None:
        window = self._window
        if window is None:
            return
        note(window, *args)
        if window.done is not None:
            self._close(window)

    # ---- windows ----------------------------------------------------------------------------

    def _open(self) -> None:
        """Begin to record. Raises `CannotRecord`."""
        self._due = False
        if self._searched_at < 0 or self._watched > 2 * self._searched_at:
            self._searched_at = self._watched
            self._owners.search()
        self._first_lines.end()
        recorder = fitting_recorder()
        if recorder.source == "trace" and not self._hears_denials:
            self._hears_denials = True  # PyTorch has no way to take this back
            call_when_out_of_memory(self._denied)
        self._hooks.watch_modules()
        self._spent = 0.0
        optimizers = bool(self._owners.optimizers())
        stepping = bool(self._recent)
        periods = Periods(
            self._recent,
            optimizers=optimizers,
            inference=not stepping or self._inferences == 0,
        )
        self._window = Window(recorder, self._owners, periods)

    def _close(self, window: Window) -> None:
        """The window is done: record no more, and let the thread send what it has."""
        self._hooks.leave_modules()
        self._window = None
        window.close()
        training = window.done is not None and window.done.kind == "training"
        self._inferences = 0 if training else self._inferences + 1
        if not training:
            self._recent.clear()
        self._closed.append(window)
        self._wake.set()

    def _abandon(self) -> None:
        """Record no more, and forget what was recorded."""
        window, self._window = self._window, None
        self._due = False
        self._hooks.leave_modules()
        if window is not None:
            window.close()

    def _miss(self, reason: str) -> None:
        self._abandon()
        self._pacing.spend(self._spent)
        self._send({"type": "missing", "reason": reason})

    # ---- the observer's own thread ----------------------------------------------------------

    def _go_round(self) -> None:
        """Send what was recorded, and say when the next window is due."""
        sent = 0.0
        while self._watching and self._failure is None:
            self._wake.wait(min(_PROGRESS_SECONDS, self._pacing.wait() or _PROGRESS_SECONDS))
            self._wake.clear()
            try:
                self._ship_all()
                now = time.perf_counter()
                if now - sent >= _PROGRESS_SECONDS and self._watching:
                    sent = now
                    self._send(self._progress())
                self._look_for_work(now)
            except Exception as error:
                self._failure = error
        if self._failure is not None:
            self._remove(self._failure)

    def _look_for_work(self, now: float) -> None:
        if self._window is not None or self._pacing.wait():
            return
        self._due = True
        last = self._last_step
        if last is None or now - last[1] > _IDLE_SECONDS:
            self._hooks.watch_modules()

    def _ship_all(self) -> None:
        with self._shipping:
            while self._closed and self._watching:
                self._ship(self._closed.popleft())

    def _ship(self, window: Window) -> None:
        began = time.thread_time()
        self._watched += 1
        extra = self._spent
        plain = self._pacing.step_seconds
        if window.source == "operators":
            # Each operator takes longer while a mode sees it.
            extra = max(extra, window.seconds - 2 * (plain or 0.0))
        try:
            messages = window.messages(self._watched)
        except CannotRecord as reason:
            messages = [{"type": "missing", "reason": str(reason)}]
        self._pacing.spend(extra + time.thread_time() - began)
        for message in (self._progress(), *messages):
            self._send(message)

    def _progress(self) -> Message:
        return {
            "type": "progress",
            "steps": max(self._counts.values(), default=self._watched),
            "watched": self._watched,
            "step_seconds": self._pacing.step_seconds,
            "watching_share": self._pacing.share,
        }

    def _remove(self, error: Exception) -> None:
        """Something went wrong in the observer: take it out, and say so."""
        self._watching = False
        self._first_lines.end()
        self._take_out()
        text = str(error).partition("\n")[0]
        self._send({"type": "removed", "reason": f"{type(error).__name__}: {text}"})

    def _take_out(self) -> None:
        """Take out all hooks. Those of optimizers wait until no optimizer goes through them."""
        if self._window is None:
            self._hooks.leave_modules()
        for _ in range(_TRIES):
            self._hooks.leave_optimizers()
            if not self._hooks.of_optimizers:
                return
            time.sleep(0.01)
