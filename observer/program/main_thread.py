"""Runs a function in the program's main thread, between two steps of its own code."""

from __future__ import annotations

import _thread
import ctypes
import weakref
from collections.abc import Callable

_CALL = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
# They must be there when they are called, which a child of the program does, too, where one was
# pending when it was forked: there the observer is forgotten.
_pointers: list[object] = []


class MainThread:
    """Asks the main thread to call `function`. It is asked once at a time."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._asked = False
        self._pointer = _CALL(_Calling(self))
        _pointers.append(self._pointer)

    def ask(self) -> None:
        """Let the main thread call the function, as soon as it runs Python code.

        Nothing happens where Python has too many calls pending.
        """
        if not self._asked:
            self._asked = True
            if ctypes.pythonapi.Py_AddPendingCall(self._pointer, None):
                self._asked = False

    def call(self) -> None:
        """Call the function: this is the main thread."""
        self._asked = False
        self._function()


class _Calling:
    """What Python calls. It does not keep alive what it calls."""

    def __init__(self, asked: MainThread) -> None:
        self._asked = weakref.ref(asked)

    def __call__(self, _: object) -> int:
        # Nothing can be raised through C; an interrupt comes once more, when this is over.
        try:
            if (asked := self._asked()) is not None:
                asked.call()
        except Exception:
            return 0
        except BaseException:
            _thread.interrupt_main()
        return 0
