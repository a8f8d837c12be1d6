"""The observer inside a program: it notes what the program does, and sends what was recorded.

An error of its own removes it; the program goes on.
"""

from __future__ import annotations

import _thread
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Lock

from torch import nn
from torch.optim.optimizer import Optimizer

from ..private import in_backward
from .denied import Denial, out_of_memory
from .forking import Forking
from .greeting import greeting
from .main_thread import MainThread
from .progress import Message, progress
from .questions import Questions
from .recorder import CannotRecord
from .window import Window
from .windows import THREAD_ENDED, Windows

_PROGRESS_SECONDS = 0.5
_SOON_SECONDS = 0.02
_LEAVE_SECONDS = 0.5  # for which `leave` waits until all hooks are out
_PAUSES = 0.01, 1.0  # between two tries to take out hooks, the first and the longest


class Agent:
    """Watches while at least one screen has joined.

    `send` takes each message; it may be called in any thread and must not wait. `since_start` says
    that the program has not allocated anything yet.
    """

    def __init__(self, send: Callable[[Message], None], *, since_start: bool) -> None:
        self._send, self._since_start = send, since_start
        self._windows = Windows(self, self._denied, since_start=since_start)
        self.forking = Forking(self._windows, lambda: self._turn)
        self._main_thread = MainThread(self._search)
        self._questions = Questions(send, self._windows.numbers, self._spend)
        self._watching = False
        self._begin_again()
        self._release()

    def _begin_again(self) -> None:
        self._windows.begin_again()
        self._failure, self._spent = "", 0.0
        self._denials: Counter[int] = Counter()  # by GPU

    def _release(self) -> None:
        """Make new locks, which nobody holds, as in a process just forked."""
        # `_turn` is held by the thread that notes something; a thread of the program that finds it
        # held goes on without noting.
        self._turn, self._shipping = Lock(), Lock()
        self._wake, self._out = Event(), Event()
        self._runs = False

    # ---- screens come and go ----------------------------------------------------------------

    def hello(self) -> Message:
        """Who this program is."""
        return greeting(since_start=self._since_start)

    def join(self) -> None:
        """Somebody watches from now on."""
        with self._turn:
            if self._watching:
                return
            self._begin_again()
            self._watching = True
            self._wake.clear()
            self._out.clear()
            try:
                self._look_for_work()
            except Exception as error:
                self._fail(error)
            if not self._runs:
                self._runs = True
                # None of `threading`'s: a program that counts or joins its threads must not see it.
                _thread.start_new_thread(self._run, ())

    def begin(self) -> None:
        """Begin a window now, in the program's own thread."""
        self._see(self._windows.open)

    def leave(self) -> None:
        """Nobody watches any more: nothing is recorded, and no hook remains.

        What a thread of the program has to take out itself goes when that thread goes on.
        """
        with self._turn:
            self._watching = False
            self._questions.forget()
            with suppress(Exception):
                self._windows.let_go()
        self._wake.set()
        if self._runs:
            self._out.wait(_LEAVE_SECONDS)

    def end(self) -> None:
        """The process ends: send what is recorded completely, and how far the program came."""
        if self._watching:
            if self._turn.acquire(timeout=_LEAVE_SECONDS):
                with suppress(Exception):
                    self._windows.finish()
                self._turn.release()
            self._ship_all()
            self._send(progress(self._windows))

    def forget(self) -> None:
        """In a forked child: nothing is watched there, and nothing of the parent's is touched."""
        self._release()
        self._watching = False
        self._questions.forget()
        self._windows.forget()

    def who(self, device: str, addresses: list[int]) -> None:
        """Tell who holds the memory at these addresses, soon."""
        if self._watching:
            self._questions.ask(device, addresses)

    def _spend(self, seconds: float) -> None:
        """Something else than a step has taken so long."""
        self._windows.pacing.spend_apart(seconds)

    def _denied(self, device: int, wanted: int, allowed: int, free: int) -> None:
        """CUDA's allocator had to deny a request. Called by PyTorch, so it must not raise."""
        if self._watching:
            self._denials[device] += 1
            began, windows = time.perf_counter(), self._windows
            with suppress(Exception):
                windows.look_again()
                denial = Denial(device, wanted, allowed, free, self._denials[device])
                self._send(out_of_memory(denial, windows))
            self._spend(time.perf_counter() - began)

    # ---- what the program does, in its own threads ------------------------------------------

    def cuda_starts(self) -> None:
        """CUDA starts, in this thread."""
        self._see(self._cuda_starts)

    def call(self, module: nn.Module, args: tuple[object, ...]) -> None:
        """A module is called."""
        if self._windows.of_this_thread:
            self._see(self._windows.call, module, args)
        elif (window := self._windows.window) is not None and in_backward():
            with suppress(Exception):  # a GPU has a thread of its own in a backward pass
                window.called_again(module)

    def call_end(
        self, module: nn.Module, kwargs: Mapping[str, object], *, failed: bool, single: bool
    ) -> None:
        """A module's call has ended, or failed; `single`: it has returned one tensor."""
        self._note(Window.call_end, module, kwargs, failed, single)

    def backward_outputs(self) -> None:
        """A backward pass is about to make the gradients of its outputs."""
        self._note(Window.backward_outputs)

    def backward(self) -> None:
        """A backward pass begins."""
        windows = self._windows
        if windows.window is not None and not windows.of_this_thread and not in_backward():
            windows.window.not_alone()
        self._note(Window.backward)

    def backward_end(self, *, failed: bool) -> None:
        """A backward pass has ended, or failed."""
        self._note(Window.backward_end, failed)

    def optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer's step begins."""
        if self._windows.window is not None:
            note = self._note_in_any_thread if in_backward() else self._note
            note(Window.optimizer, optimizer)

    def optimizer_end(self, optimizer: Optimizer) -> None:
        """An optimizer's step has ended."""
        windows = self._windows
        at_rest = windows.window is None and not windows.due  # as after nearly all steps
        if not at_rest and in_backward():
            # It bounds no step; a window counts it as one that updates within backward.
            self._note_in_any_thread(Window.optimizer_end, optimizer)
            return
        try:
            now = windows.steps.made(id(optimizer), plain=windows.window is None)
            if at_rest and now >= windows.levels.due:
                windows.read_levels(id(optimizer))
        except Exception as error:
            self._see(self._fail, error)
        if not at_rest and self._watching and windows.of_this_thread:
            self._see(windows.optimizer_end, optimizer)

    def compiling(self) -> None:
        """PyTorch begins to compile; no hook may be in that would be compiled with the program."""
        if self._windows.window is not None and self._windows.of_this_thread:
            self._see(self._miss, "the program compiles")

    def _note(self, what: Callable[..., None], *args: object) -> None:
        """Note this in the window, if it is this thread's."""
        if self._windows.of_this_thread:
            self._note_in_any_thread(what, *args)

    def _note_in_any_thread(self, what: Callable[..., None], *args: object) -> None:
        if self._windows.window is not None:
            self._see(self._windows.note, what, *args)

    def _see(self, note: Callable[..., None], *args: object) -> None:
        """Note what happens. Nothing that goes wrong in here reaches the program."""
        if self._turn.locked():
            # A screen comes or leaves, or a signal's handler interrupts what is being noted.
            if (window := self._windows.window) is not None:
                window.abandoned = True
            return
        with self._turn:  # Python handles no signal between taking this and what follows
            began = time.perf_counter()
            window = self._windows.window
            try:
                if self._watching and not (window is not None and window.abandoned):
                    note(*args)
                else:
                    self._windows.abandon()
                if self._windows.closed:
                    self._wake.set()
            except CannotRecord as reason:
                self._miss(str(reason))
            except Exception as error:
                self._fail(error)
            except BaseException:
                self._windows.abandon()
                raise
            finally:
                self._spent += time.perf_counter() - began

    def _cuda_starts(self) -> None:
        if self._windows.cuda_starts(since_start=self._since_start):
            self._look_for_work()

    def _search(self) -> None:
        """In the main thread."""
        if self._watching and self._windows.window is None:
            self._see(self._windows.search_again)
            self._spend_in_vain()

    def _miss(self, reason: str) -> None:
        self._windows.abandon()
        self._spend_in_vain()
        self._wake.set()
        with suppress(Exception):
            self._send({"type": "missing", "reason": reason})

    def _spend_in_vain(self) -> None:
        spent, self._spent = self._spent, 0.0
        self._windows.pacing.spend_in_vain(spent)

    def _fail(self, error: Exception) -> None:
        """Something went wrong in the observer. The error itself would keep tensors alive."""
        text = str(error).partition("\n")[0]
        self._failure = self._failure or f"{type(error).__name__}: {text}"
        self._watching = False
        self._windows.abandon()
        self._wake.set()

    # ---- the observer's own thread ----------------------------------------------------------

    def _run(self) -> None:
        """Serve those who watch, and take everything out when nobody does."""
        while True:
            self._serve()
            self._take_out(once=True)
            if self._failure:
                with suppress(Exception):
                    self._send({"type": "removed", "reason": self._failure})
            self._take_out()
            with self._turn:
                if not self._watching:
                    self._runs = False
                    self._out.set()
                    return

    def _serve(self) -> None:
        """Send what was recorded, and say when the next window is due."""
        sent = 0.0
        while self._watching:
            self._wake.clear()
            try:
                self._questions.look()
                began = time.thread_time()
                self._ship_all()
                now = time.perf_counter()
                if now - sent >= _PROGRESS_SECONDS and self._watching:
                    sent = now
                    self._send(progress(self._windows))
                # A window that finds the turn taken is lost; while one is open there is no work.
                if not self._windows.at_work:
                    with self._turn:
                        if self._watching:
                            self._look_for_work()
            except Exception as error:
                with self._turn:
                    self._fail(error)
                return
            # It counts when the next step was watched, and makes that one wait for nothing.
            self._windows.pacing.spent += time.thread_time() - began
            due = _SOON_SECONDS if self._windows.lacks_hooks else self._windows.pacing.wait()
            self._wake.wait(min(_PROGRESS_SECONDS, due or _PROGRESS_SECONDS))

    def _look_for_work(self) -> None:
        if self._windows.lost_its_thread:
            self._miss(THREAD_ENDED)
        if not self._windows.look_for_work():
            self._main_thread.ask()

    def _take_out(self, *, once: bool = False) -> None:
        """Take out all hooks, as soon as no thread of the program is in the midst of one."""
        pause, longest = _PAUSES
        while not self._watching:
            with suppress(Exception), self._turn:
                if self._watching or self._windows.take_out():
                    return
            if once:
                return
            time.sleep(pause)
            pause = min(2 * pause, longest)

    def _ship_all(self) -> None:
        with self._shipping:
            while self._windows.closed and self._watching:
                self._ship(self._windows.closed.popleft())

    def _ship(self, window: Window) -> None:
        spent, self._spent = self._spent, 0.0
        cost, spend = self._windows.cost(window, spent), self._windows.pacing.spend
        try:
            messages = window.messages(self._windows.shipped + 1)
            self._windows.shipped += 1
        except CannotRecord as reason:
            messages = [{"type": "missing", "reason": str(reason)}]
            spend = self._windows.pacing.spend_in_vain
        spend(cost)
        for message in (progress(self._windows), *messages):
            self._send(message)
