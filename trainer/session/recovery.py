"""How a training goes on after it has run out of memory.

    WORKING ── out of memory ──► RETRIED   the step again: recorded, from an empty cache
                                    │
                               out of memory
                                    │
          ┌─────────────────────────┼────────────────────────┐
    these settings            other settings            no settings
     had worked                 had worked               had worked
          ▼                         ▼                        ▼
       PLACED                    WORKING                  WAITING
    in another order          with their last          for a change of
     of allocation               snapshot                 settings
          │
    no order is left
          ▼
       WORKING with a smaller batch size; WAITING if no batch fits

A step that fits leads from any state back to WORKING. A snapshot that cannot be restored because
memory runs out again is kept, and the state is PENDING: a change of settings tries it once more.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from enum import Enum, auto

import msgspec
from vramtop.protocol.lesson.messages import WouldFit
from vramtop.protocol.lesson.settings import SettingError, Settings
from vramtop.trainer.fitting.largest import LargestFitSearch
from vramtop.trainer.training.out_of_memory import OutOfMemoryFacts, out_of_memory_facts
from vramtop.trainer.training.training import Snapshot, model_key

from .reports import Reports
from .setup import Setup


class State(Enum):
    """Where the training stands; see the picture above."""

    WORKING = auto()
    RETRIED = auto()
    PLACED = auto()
    WAITING = auto()
    PENDING = auto()


class Recovery:
    """Owns the snapshots of one `setup`, and decides how it continues after a failure.

    With `observe` a failed step is retried. Failures, and how the training continues, go to
    `reports`.
    """

    def __init__(self, setup: Setup, reports: Reports, *, observe: bool) -> None:
        self._setup = setup
        self._reports = reports
        self._observe = observe
        self.state = State.WORKING
        self.pending_restore: Snapshot | None = None
        self._last_working: Snapshot | None = None
        self._worked = False  # whether a full step has ended with the settings in force
        # Orders of allocation that are left to try: a batch size each, see `placing`.
        self._orders: deque[int] | None = None
        self._search: LargestFitSearch | None = None

    @property
    def waiting(self) -> bool:
        """Whether no step can be taken before the settings change."""
        return self.state in (State.WAITING, State.PENDING)

    # ---- steps ------------------------------------------------------------------------------

    def step_ended(self, *, full: bool) -> None:
        """A step has fitted; only a `full` one shows that its settings work."""
        self._worked = self._worked or full
        self.state = State.WORKING

    def settled(self) -> None:
        """All that a step holds was in place and has fitted: these settings can be returned to."""
        self._last_working = self._setup.snapshot()
        self._orders = None

    def step_failed(self, facts: OutOfMemoryFacts, *, recorded: bool) -> None:
        """A step has run out of memory; it may have been `recorded`."""
        if self._may_retry(recorded=recorded):
            self._retry(facts)
        else:
            self.recover(facts)

    def _may_retry(self, *, recorded: bool) -> bool:
        """Whether to take the failed step once more.

        It may fit from an empty cache. If it was not recorded, the retry is, and shows what did not
        fit. An update that was cut short needs a snapshot with the same settings.
        """
        if self.state is not State.WORKING or not self._observe:
            return False
        if recorded and not self._setup.on_cuda:
            return False
        return not self._setup.cut_short or self._had_worked()

    def _retry(self, facts: OutOfMemoryFacts) -> None:
        """Prepare the same step again, from an empty cache."""
        setup = self._setup
        self.state = State.RETRIED
        self._reports.retrying(facts)
        setup.drop_step()
        if setup.on_cuda or setup.cut_short:
            self.return_to(self._before_step())
        else:
            setup.release()
        setup.unsettle()

    # ---- the way back -----------------------------------------------------------------------

    def recover(self, facts: OutOfMemoryFacts) -> None:
        """The settings in force do not fit: go on with the last that did, or wait."""
        setup, failed, working = self._setup, self._setup.settings, self._last_working
        setup.drop_step()
        # Other processes may want the cache, and so may the snapshot.
        setup.release()
        if self._had_worked():
            self._go_on(facts)
            return
        self._reports.out_of_memory(facts, failed, working.settings if working else None)
        if working is None:
            self.state = State.WAITING
        else:
            self.return_to(working)
        self.search_largest_fit(failed)

    def _go_on(self, facts: OutOfMemoryFacts) -> None:
        """Settings that worked no longer fit: try another order, then a smaller batch."""
        setup, failed, here = self._setup, self._setup.settings, self._before_step()
        latest = self._place_anew(here, facts)
        if latest is None:
            return
        size = setup.smaller_batch_size()
        smaller = _with_batch_size(here, size) if size else None
        self._reports.out_of_memory(latest, failed, smaller.settings if smaller else None)
        if smaller is not None:
            self._last_working = smaller
        self.return_to(smaller or here)
        if smaller is None and self.pending_restore is None:
            self.state = State.WAITING
        self.search_largest_fit(failed)

    def _place_anew(self, here: Snapshot, facts: OutOfMemoryFacts) -> OutOfMemoryFacts | None:
        """Go on from `here` in the next order of allocation that fits; None if one did.

        Otherwise the facts of the step's failure; the training must be restored then. The first
        order is that of a training that starts with this batch size, the second the one in which
        the memory was really allocated.
        """
        if self._orders is None:
            sizes = [here.settings.batch_size, here.made_at]
            self._orders = deque(dict.fromkeys(size for size in sizes if size is not None))
        while self._setup.on_cuda and self._orders:
            try:
                self._setup.place(here, self._orders.popleft())
            except RuntimeError as error:
                out_of_memory_facts(error, None)  # any other error is raised again
            else:
                self.state = State.PLACED
                self._setup.unsettle()
                return None
        return facts

    def return_to(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot; where it cannot be restored for lack of memory, it is pending."""
        setup = self._setup
        try:
            setup.make_room(snapshot.settings)
            if not setup.has(snapshot.settings):
                self._adopt(snapshot.settings)
            setup.restore(snapshot)
        except RuntimeError as error:
            facts = out_of_memory_facts(error, None, "model")
        else:
            self._nothing_pending()
            return
        self.pending_restore, self.state = snapshot, State.PENDING
        self._reports.out_of_memory(facts, snapshot.settings, None)

    def resume(self, snapshot: Snapshot) -> None:
        """Return to a training that had lent its memory; one that waited still waits."""
        waited = self.state is State.WAITING
        self.return_to(snapshot)
        if waited and self.pending_restore is None:
            self.state = State.WAITING

    def _had_worked(self) -> bool:
        """Whether the settings in force are those of the last snapshot that worked."""
        working = self._last_working
        return working is not None and working.settings == self._setup.settings

    def _before_step(self) -> Snapshot:
        """The training before the failed step; an update cut short needs the last that worked."""
        if self._setup.cut_short and self._last_working is not None:
            return self._last_working
        return self._setup.snapshot()

    # ---- changes of settings ----------------------------------------------------------------

    def require_room(self, what: str) -> None:
        """Raise `SettingError` while a restore is pending: then nothing is `what` (searched…)."""
        if self.pending_restore is not None:
            raise SettingError(f"nothing is {what} while the training itself has no room")

    def restore_pending(self, new: Settings) -> bool:
        """Restore what is pending, before `new` settings come into force.

        False where there is still no room. Another model has no use for the snapshot.
        """
        pending = self.pending_restore
        if pending is None:
            return True
        if model_key(new) != model_key(pending.settings):
            self._nothing_pending()
            return True
        settings = msgspec.structs.replace(new, optimizer=pending.settings.optimizer)
        self.return_to(replace(pending, settings=settings))
        return self.pending_restore is None

    def change(self, new: Settings) -> None:
        """Put new settings into force; those of now can be returned to if they worked."""
        if self._worked and not self.waiting:
            self._last_working = self._setup.snapshot()
        self._adopt(new)

    def _adopt(self, settings: Settings) -> None:
        """Put settings into force of which it is not known whether they fit."""
        self.state, self._worked, self._orders = State.WORKING, False, None
        self._setup.adopt(settings)

    def _nothing_pending(self) -> None:
        self.pending_restore = None
        if self.state is State.PENDING:
            self.state = State.WAITING

    # ---- which batch size would have fitted ---------------------------------------------------

    @property
    def searching(self) -> bool:
        """Whether the search for the batch size that would have fitted is under way."""
        return self._search is not None

    def search_largest_fit(self, failed: Settings) -> None:
        """Begin the search for the batch size that would have fitted; an earlier search ends."""
        self._search = self._setup.largest_fit_search(failed)

    def search_on(self) -> WouldFit | None:
        """Spend some milliseconds on that search. Returns the answer once it is known."""
        answer = self._search.go_on() if self._search else None
        if answer is not None:
            self._search = None
        return answer


def _with_batch_size(snapshot: Snapshot, batch_size: int) -> Snapshot:
    """The same training with another batch size."""
    settings = msgspec.structs.replace(snapshot.settings, batch_size=batch_size)
    return replace(snapshot, settings=settings)
