"""What is alive in one step and how it changed, noted phase by phase while the step runs.

Knows PyTorch and nothing of this trainer. Sizes are bytes as asked for.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import partial

import torch
from torch import UntypedStorage
from vramtop.accounting.account import Notes, Run, Sighting
from vramtop.accounting.anatomy import Change, Life, Log, Mark, Page
from vramtop.protocol.split import CATEGORIES, Category, Phase, Split

from .ownership import Named, Owners, Roster, stored_on


class Journal:
    """The storages of a step on `device`, each counted once, until its last reference is gone.

    It begins in `load`, with what the owners hold when it is made, and keeps no tensor alive.
    `held` is how many bytes are alive now, `phase` the one under way, `operation` the run of an
    operator that changes belong to, and `before` how many bytes were alive when it began.

    Where the device's allocator is `traced`, there are `notes` for an account by its trace, and
    whoever reads the allocator sets the place, `at`, before the journal looks at anything.
    """

    def __init__(self, device: torch.device, owners: Owners, *, traced: bool = False) -> None:
        self._device = device
        self.notes = Notes() if traced else None
        self.at = 0
        self._alive: dict[int, Life] = {}
        self._start: list[tuple[Life, int]] = []
        self._pages: list[Page] = []
        self.held = self.before = 0
        self.operation: tuple[object] = ("",)
        self._open("load")
        self._roster = Roster(owners)
        self.own("parameters", owners.parameters())
        self._identify()

    # ---- phases -----------------------------------------------------------------------------

    def turn(self, phase: Phase) -> None:
        """End the phase under way, and start this one."""
        self._close()
        self._open(phase)

    def end(self) -> Split:
        """End the step, and let go of everything; what was alive at its end."""
        # Parameters and buffers may have been made within the step.
        self.own("parameters", self._roster.owners.parameters())
        self._close()
        split = self._now()
        for life in list(self._alive.values()):
            life.reference = None
        self._alive = {}
        self._roster.forget()
        return split

    def operate(self, operator: object) -> None:
        """Changes belong to a run of this operator from now on."""
        self.operation = (operator,)
        self.before = self.held

    def ran(self, at: int) -> None:
        """The operator has run, up to this place in the allocator's trace."""
        if self.notes is not None:
            self.notes.runs.append(Run(len(self._pages), self.at, at, self.operation))
        self.at = at

    def place(self) -> Mark:
        """Between what is noted already and what comes next."""
        return len(self._pages), len(self._changes)

    def log(self) -> Log:
        """Each storage at the start, and each change in the phases that have ended."""
        return self._start, self._pages

    def split(self) -> Split:
        """What is alive right now, as far as it is known."""
        self._identify()
        return self._now()

    def _open(self, phase: Phase) -> None:
        self.phase = phase
        self._changes: list[Change] = []
        self.operation = ("",)

    def _close(self) -> None:
        self._identify()
        for life in list(self._alive.values()):
            storage = life.reference() if life.reference else None
            if storage is not None and storage.nbytes() != life.bytes:
                # Resized directly, past all operators.
                self.look_again(life, storage)
            if self.phase == life.phase == "forward":
                life.survived_forward = True
        if self.notes is not None:
            self.notes.ends.append((self.phase, self.at))
        self._pages.append((self.phase, self._changes))

    def _now(self) -> Split:
        sizes = [0] * len(CATEGORIES)
        for life in list(self._alive.values()):
            sizes[life.index(forward_ends=self.phase == "forward")] += life.bytes
        return Split(*sizes)

    # ---- storages ---------------------------------------------------------------------------

    def own(self, category: Category, named: Iterable[Named], *, born: bool = False) -> None:
        """Note whose these tensors are, and count those not known before, as `see` does."""
        for name, whole in named:
            for tensor in stored_on(self._device, whole):
                storage = tensor.untyped_storage()
                life = self.life_of(storage) or self.see(storage, born=born, declared=born)
                if life.category is None:
                    life.category, life.name = category, name
                    life.look_at(tensor)

    def _identify(self) -> None:
        """Name what parameters and optimizers hold by now."""
        self.own("gradients", self._roster.gradients())
        self.own("optimizer_state", self._roster.optimizer_state())

    def life_of(self, storage: UntypedStorage) -> Life | None:
        """The life of a storage that is counted already."""
        return self._alive.get(storage._cdata)

    def see(self, storage: UntypedStorage, *, born: bool, declared: bool = False) -> Life:
        """Count a storage not known before, from now on or else from the step's start.

        By the allocator's trace, one that is not `declared` counts from its allocation.
        """
        operation: tuple[object] = self.operation if born else ("",)
        life = Life(storage._cdata, self.phase if born else None, operation)
        life.reference = weakref.ref(storage, partial(self._release, life))
        self._alive[life.key] = life
        self._sight(life, storage, declared=declared)
        if born:
            self.resize(life, storage.nbytes())
        else:
            life.bytes = storage.nbytes()
            self.held += life.bytes
            self._start.append((life, life.bytes))
        return life

    def look_again(self, life: Life, storage: UntypedStorage) -> None:
        """Note how large a storage is by now, which may be elsewhere."""
        self.resize(life, storage.nbytes())
        self._sight(life, storage, declared=False)

    def _sight(self, life: Life, storage: UntypedStorage, *, declared: bool) -> None:
        if self.notes is not None and storage.nbytes():
            place, page = self.at, len(self._pages)
            seen = Sighting(place, page, storage.data_ptr(), life, declared)
            self.notes.sightings.append(seen)

    def resize(self, life: Life, size: int) -> None:
        """Note that a storage has so many bytes from now on."""
        change = size - life.bytes
        if change:
            life.bytes = size
            self.held += change
            self._changes.append((life, change, self.operation))

    def passing(self, *sizes: int) -> None:
        """Count buffers that the operator took, all at once, and gave back within."""
        lives = [Life(0, self.phase, self.operation) for _ in sizes]
        for life, size in zip(lives, sizes, strict=True):
            life.end = self.phase
            self.resize(life, size)
        for life in lives:
            self.resize(life, 0)

    def _release(self, life: Life, _: object) -> None:
        """The last reference to a storage is gone; its address may soon be another's."""
        self._alive.pop(life.key, None)
        life.reference, life.end = None, self.phase
        self.resize(life, 0)
