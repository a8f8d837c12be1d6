"""The windows of a program, one at a time: when one opens, and how it ends."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from ..accounts import unaccounted
from ..private import compiles, in_backward, may_change_modes
from ..private_cuda import call_when_out_of_memory
from .choice import fitting_recorder
from .first_lines import FirstLines
from .hooks import Hooks, Witness, within_module
from .levels import Levels
from .numbers import Numbers
from .owners import Owners
from .pacing import Pacing
from .periods import Periods
from .recorder import CannotRecord
from .steps import Steps
from .window import Window

_REFUSED = 32  # calls with which no window could open, until that is told
_SEARCH_PAUSE = 100  # times what a search took, after a request that was denied
_HOOKS_SECONDS = 2.0  # for which steps wait for the hooks of optimizers
_OFTEN = 8  # watched steps, after which the program's objects are searched again
THREAD_ENDED = "the program's thread ended before two of its steps were recorded"


class Windows:
    """Opens a window when one is due, puts the hooks in that it needs, and takes them out again.

    `closed` are those that are complete and not sent yet; `due` says that one may open. One thread
    at a time may call any of it, but for what is asked of `of_this_thread`, `window` and `due`.
    """

    def __init__(
        self,
        witness: Witness,
        denied: Callable[[int, int, int, int], None],
        *,
        since_start: bool,
    ) -> None:
        self.hooks = Hooks(witness)
        self.owners = Owners()
        self.numbers = Numbers()
        self.window: Window | None = None
        self._denied, self._hears_denials = denied, False
        self._look_again_at = 0.0
        self._first_lines = FirstLines()
        self._at_start = since_start  # nothing of the program was seen yet
        self.begin_again()

    def begin_again(self) -> None:
        """Somebody watches again: forget what was known of the program's steps."""
        self.closed: deque[Window] = deque()
        self.pacing = Pacing()
        self.steps = Steps(self.pacing)
        self.levels = Levels()
        self.shipped = 0
        self._inferences = 0
        self._searched_at = -1
        self.searching = self._excess = 0.0  # seconds
        self._refused = 0
        self.due = False

    @property
    def of_this_thread(self) -> bool:
        """Whether the window is this thread's, if there is one."""
        window = self.window
        return window is None or window.thread == get_ident()

    @property
    def at_work(self) -> bool:
        """Whether a window is open to which nothing has to be done but in its own thread."""
        window = self.window
        if window is None or window.abandoned or self.hooks.lack_optimizers:
            return False
        return not window.thread_has_ended

    @property
    def lacks_hooks(self) -> bool:
        """Whether optimizers are not seen yet, which a moment will change: steps are theirs."""
        return self.hooks.lack_optimizers and self.pacing.seconds < _HOOKS_SECONDS

    @property
    def lost_its_thread(self) -> bool:
        """Whether a window is open whose thread has ended, so that it cannot be completed."""
        window = self.window
        return window is not None and not window.abandoned and window.thread_has_ended

    @property
    def searched(self) -> bool:
        """Whether the program's modules and optimizers were looked for."""
        return self._searched_at >= 0

    # ---- what the program does --------------------------------------------------------------

    def cuda_starts(self, *, since_start: bool) -> bool:
        """CUDA starts: give up a window of the CPU. Return whether there was one."""
        if unaccounted(torch.device("cuda")) is None:
            self._hear_denials()
            if since_start:
                self._first_lines.begin()
        window = self.window
        if window is None or window.source != "operators":
            return False
        self.abandon()
        self.steps.forget_recent()
        self._at_start = since_start and self.steps.most is None
        return True

    def call(self, module: nn.Module, args: tuple[object, ...]) -> None:
        """A module is called, with which a window may begin."""
        if self.window is None:
            if not self.due or within_module(1):
                return
            if not may_change_modes():
                self._refuse()
                return
            if compiles() and not self.searched:
                # Its code must not be compiled with hooks of all modules.
                self.search_again()
                return
            self.open()
        self.note(Window.call, module, args)

    def _refuse(self) -> None:
        """No window opens within this call. Where none opens elsewhere, that is to be known."""
        self._refused += 1
        if self._refused == _REFUSED:
            self._refused = 0
            raise CannotRecord("modules are called only within torch.func, where none is watched")

    def optimizer_end(self, optimizer: Optimizer) -> None:
        """An optimizer's step has ended, after which a window may begin."""
        if self.window is not None:
            self.note(Window.optimizer_end, optimizer)
            return
        if self.due and may_change_modes():
            if optimizer not in self.owners.optimizers():
                self._searched_at = -1  # where that is new, there may be new modules
            self.open()
            self.note(Window.begin_after, optimizer)

    def read_levels(self, optimizer: int) -> None:
        """An optimizer has made a step at rest, and a reading is due. No lock is held."""
        if not in_backward():
            self.pacing.spend_apart(self.levels.read(optimizer, self.steps.most))

    def note(self, what: Callable[..., None], *args: object) -> None:
        """Something happens in the window, which may complete it. Raises `CannotRecord`."""
        window = self.window
        if window is None:
            return
        if window.source == "operators" and window.thread_has_ended:
            # This thread has got its number. The dispatch mode has ended with the other one.
            raise CannotRecord(THREAD_ENDED)
        what(window, *args)
        if window.done is None:
            if (told := window.first_step()) is not None:
                self.closed.append(told)
        elif self._may_close(window):
            self._close(window)

    def finish(self) -> None:
        """The program ends: close the window with the steps that it has, if any."""
        window = self.window
        if window is not None and not window.abandoned:
            window.done = window.so_far()
            if window.done is not None:
                self._close(window)

    # ---- a window ---------------------------------------------------------------------------

    def open(self) -> None:
        """Begin to record. Raises `CannotRecord`."""
        self.due = False
        self._refused = 0
        if self.window is not None:
            return
        if not self.searched or self.shipped > 2 * max(self._searched_at, _OFTEN):
            self.search()
        self._first_lines.end()
        recorder = fitting_recorder(self.numbers)
        if recorder.source == "trace":
            self._hear_denials()
        self.hooks.watch_modules(self.owners.outside_compiled())
        recent = self.steps.recent()
        periods = Periods(
            recent,
            optimizers=bool(self.owners.optimizers()) and self.hooks.sees_optimizers,
            inference=not self.steps.stepping or self._inferences == 0,
        )
        self.window = Window(recorder, self.owners, periods, whole=self._at_start)
        self._at_start = False
        if self.steps.in_other_threads:
            self.window.not_alone()
        self.window.begin(recent)

    def _hear_denials(self) -> None:
        """Hear of each request that CUDA's allocator denies."""
        if not self._hears_denials:
            self._hears_denials = True  # PyTorch has no way to take this back
            call_when_out_of_memory(self._denied)

    def search(self) -> None:
        """Look for the program's modules and optimizers, in a thread of its own."""
        began = time.perf_counter()
        self._searched_at = self.shipped
        self.owners.search()
        self.searching += (took := time.perf_counter() - began)
        self.pacing.once = self.pacing.once or took

    def look_again(self) -> None:
        """Look for new modules and optimizers, in any thread, in a hundredth of the time."""
        began = time.perf_counter()
        if began >= self._look_again_at:
            self.owners.search()
            ended = time.perf_counter()
            self._look_again_at = ended + _SEARCH_PAUSE * (ended - began)

    def cost(self, window: Window, spent: float) -> float:
        """The seconds by which a window slowed the program; `spent` were spent on its notes.

        PyTorch takes longer, too, for what it records. A window may also be long since the program
        did something else in it, as an evaluation; so the shorter of the latest two counts.
        """
        searching, self.searching = self.searching, 0.0
        spent += window.recorder.seconds
        plain = self.pacing.step_seconds
        if plain is None:
            return spent
        before, self._excess = self._excess, window.seconds - 2 * plain
        return max(spent, searching + min(before, self._excess))

    def search_again(self) -> None:
        """Look for modules that are new, and see the calls of those too."""
        self.search()
        self.hooks.leave_modules()
        self.hooks.watch_modules(self.owners.outside_compiled())

    def _close(self, window: Window) -> None:
        """The window is done: stop recording."""
        self.hooks.leave_modules()
        window.abandoned = True  # what interrupts this leaves the rest to `abandon`
        window.close()
        window.abandoned = False
        self.window = None
        training = window.done is not None and window.done.kind == "training"
        self._inferences = 0 if training else self._inferences + 1
        if not training:
            self.steps.forget_recent()
        self.closed.append(window)

    def abandon(self) -> None:
        """Stop recording, and forget what was recorded.

        It raises nothing but what interrupts it, and is to be called again then.
        """
        window = self.window
        self.due = False
        if window is not None:
            window.abandoned = True
            if not self._may_close(window):
                return
        with suppress(Exception):
            self.hooks.leave_modules()
        if window is not None:
            with suppress(Exception):
                window.stop()
        self.window = None

    # ---- in the observer's own thread -------------------------------------------------------

    def look_for_work(self) -> bool:
        """See that a window opens once it is due; False where it is time for another search."""
        self.hooks.watch_optimizers()
        self._forget_if_ended()
        if self.window is not None:
            if self.window.abandoned:
                self.hooks.watch_modules(self.owners.outside_compiled())
            return True
        if self.pacing.wait() or self.lacks_hooks:
            return True
        self.due = True
        if self.steps.idle:
            if compiles():
                return False  # hooks can be put into modules only that are known
            self.hooks.watch_modules(self.owners.outside_compiled())
        return True

    def let_go(self) -> None:
        """Abandon the window; where only its own thread can, that does so when it goes on."""
        self._first_lines.end()
        self.abandon()
        self._forget_if_ended()

    def take_out(self) -> bool:
        """Take out all hooks that can be; whether nothing is left."""
        self.let_go()
        if self.window is None:
            self.hooks.leave_modules()
            self.hooks.leave_optimizers()
            self.closed.clear()
        return self.window is None and not self.hooks.any

    def pause(self) -> None:
        """The program is about to fork: let the allocator note nothing meanwhile."""
        self._first_lines.pause()
        if self.window is not None:
            self.window.recorder.pause()

    def resume(self) -> None:
        """It has forked: go on. Raises `CannotRecord`."""
        self._first_lines.resume()
        if self.window is not None:
            self.window.recorder.resume()

    def forget(self) -> None:
        """In a forked child: let go of everything, and leave CUDA alone."""
        self._first_lines.forget()
        window, self.window = self.window, None
        self.closed.clear()
        self.hooks.leave_modules()
        self.hooks.leave_optimizers()
        if window is not None:
            window.recorder.forget()

    def _may_close(self, window: Window) -> bool:
        """Whether this thread can end what records the window: a dispatch mode is its thread's."""
        return window.source == "trace" or (self.of_this_thread and may_change_modes())

    def _forget_if_ended(self) -> None:
        """Forget an abandoned window whose thread has ended, and a dispatch mode with it."""
        window = self.window
        if window is not None and window.abandoned and window.thread_has_ended:
            self.window = None
            self.hooks.leave_modules()
            window.stop()
