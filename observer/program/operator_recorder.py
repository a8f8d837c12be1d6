"""Records by a dispatch mode, where the allocator keeps no trace: on the CPU.

A storage is allocated when an operator first returns it, and released when its last reference is
gone. What operators take and give back within stays unseen.
"""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Callable
from functools import partial
from threading import get_ident
from typing import Literal

import torch
from torch import UntypedStorage

from ..operators import FRESH, writes
from ..ownership import storages_on, stored_on
from ..private import (
    COMPILER,
    TorchDispatchMode,
    dispatch_modes,
    leave_dispatch_mode,
    storage_key,
)
from .inference_mode import InferenceMode
from .lines import NOWHERE, Lines
from .numbers import Numbers
from .recorder import CannotRecord, Reading, Recorded


class _Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Hands each operator's results over. `torch.compile` compiles in it as without it."""

    def __init__(self, seen: OperatorRecorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen = seen

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        return True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: tuple[type, ...],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        began = time.perf_counter()
        kwargs = kwargs or {}
        values = [*args, *kwargs.values()]
        before = self._seen.runs(func, values)
        self._seen.seconds += time.perf_counter() - began
        result = func(*args, **kwargs)
        began = time.perf_counter()
        self._seen.ran(func, values, before, result)
        self._seen.seconds += time.perf_counter() - began
        return result


class _UncompiledMode(_Mode):  # type: ignore[no-untyped-call]
    """The same where the compiler is imported, which must leave the mode alone.

    In a program without it, this would import it, which takes seconds.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return True

    __torch_dispatch__ = _Mode.__torch_dispatch__


class OperatorRecorder:
    """Sees each operator that the thread runs; addresses are `numbers` of storages."""

    source: Literal["trace", "operators"] = "operators"

    def __init__(self, device: torch.device, numbers: Numbers) -> None:
        self.devices = [device]
        self.seconds = 0.0
        self._device, self._numbers = device, numbers
        self._lines = Lines()
        self._mode = (_UncompiledMode if COMPILER in sys.modules else _Mode)(self)
        self._thread = get_ident()
        self._inference_mode = InferenceMode(self._exit, self._enter)
        self._failure = ""  # the error itself would keep tensors alive
        self._alive: dict[int, tuple[int, weakref.ref[UntypedStorage]]] = {}
        self._sizes: dict[int, int] = {}
        self._taken: set[int] = set()  # what an operator took that none had returned
        self._events: list[tuple[int, int, int]] = []
        self._recording = False

    def start(self) -> None:
        """Begin. Raises `CannotRecord`."""
        if dispatch_modes():
            raise CannotRecord("another dispatch mode is active in the program")
        self._recording = True
        self._inference_mode.watch()
        self._enter()

    def _enter(self) -> None:
        if self._recording and get_ident() == self._thread:
            self._mode.__enter__()  # type: ignore[no-untyped-call]

    def _exit(self) -> None:
        if get_ident() == self._thread:
            leave_dispatch_mode(self._mode)

    def read(self, _: torch.device) -> Reading:
        """The place now; a CPU's allocator tells nothing."""
        return Reading(len(self._events))

    def address(self, storage: UntypedStorage, *, older: bool) -> int:
        """The number of a storage.

        One that no operator has made is `older` than the window, or it was made just now by what
        is no operator, as compiled code.
        """
        number = self._known(storage)
        if number is None:
            return self._track(storage, older=older)
        if number in self._taken:
            self._taken.remove(number)
            if not older:
                self._sizes[number] = 0
                self._change(number, storage.nbytes())
        return number

    def pause(self) -> None:
        """Do nothing: a child leaves the dispatch mode by itself."""

    def resume(self) -> None:
        """Do nothing."""

    def so_far(self) -> None:
        """Nothing is told before the end."""

    def stop(self) -> None:
        """End. Modes that the program has entered meanwhile stay as they are."""
        self._recording = False
        self._numbers.keep(list(self._alive.values()))
        self._alive.clear()
        self._inference_mode.leave()
        self._exit()

    def forget(self) -> None:
        """In a forked child: the same as `stop`."""
        self.stop()

    def recorded(self, _: torch.device, lines: Lines) -> Recorded:
        """What there was. Raises what went wrong while it was recorded."""
        if self._failure:
            raise RuntimeError(self._failure)
        numbers = [lines.add_text(text) for text in self._lines.texts]
        events = self._events
        return Recorded(
            [address for address, _, _ in events],
            [size for _, size, _ in events],
            [NOWHERE if line == NOWHERE else numbers[line] for _, _, line in events],
            {number: size for number, size in self._sizes.items() if size},
            {},
        )

    def runs(self, func: Callable[..., object], values: list[object]) -> set[int] | None:
        """An operator is about to run on these values; their keys, if it writes.

        An argument that is written to may come back with another storage.
        """
        try:
            return self._keys(values) if self._recording and writes(func) else None
        except Exception as error:
            self._fail(error)
            return None

    def ran(
        self,
        func: Callable[..., object],
        values: list[object],
        before: set[int] | None,
        result: object,
    ) -> None:
        """An operator has made this of these values; `before` are their keys, if it writes."""
        if not self._recording:
            return
        try:
            for tensor in stored_on(self._device, result):
                storage = tensor.untyped_storage()
                number = self._known(storage)
                if number is None:
                    if before is None:
                        before = set() if func in FRESH else self._keys(values)
                    taken = storage_key(storage) in before
                    number = self._track(storage, older=taken)
                    if taken:
                        self._taken.add(number)
                elif self._sizes[number] != storage.nbytes():
                    self._change(number, storage.nbytes())
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or f"{type(error).__name__}: {error}"
        self._recording = False

    def _keys(self, values: list[object]) -> set[int]:
        """The keys of the storages in an operator's arguments."""
        return set(map(storage_key, storages_on(self._device, values)))

    def _known(self, storage: UntypedStorage) -> int | None:
        found = self._alive.get(storage_key(storage))
        return None if found is None else found[0]

    def _track(self, storage: UntypedStorage, *, older: bool) -> int:
        number, key = self._numbers.of(storage), storage_key(storage)
        self._alive[key] = number, weakref.ref(storage, partial(self._gone, key, number))
        if older:
            self._sizes[number] = storage.nbytes()
        else:
            self._sizes[number] = 0
            self._change(number, storage.nbytes())
        return number

    def _gone(self, key: int, number: int, _: object) -> None:
        """A storage's last reference is gone. Python would print what this raises."""
        if not self._recording:
            return
        try:
            if self._alive.get(key, (None,))[0] == number:
                del self._alive[key]
            self._change(number, 0)
        except Exception as error:
            self._fail(error)

    def _change(self, number: int, size: int) -> None:
        """The storage of this number has `size` bytes from now on."""
        old = self._sizes[number]
        if old:
            self._events.append((number, -old, NOWHERE))
        if size:
            self._events.append((number, size, self._lines.here()))
        self._sizes[number] = size
