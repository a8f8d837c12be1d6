"""Runs a function in the program's main thread, between two steps of its own code."""

from __future__ import annotations

import _thread
import ctypes
from collections.abc import Callable

_CALL = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class MainThread:
    """Asks the main thread to call `function`. It is asked once at a time."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._asked = False
        self._pointer = _CALL(self._run)  # must be alive when it is called

    def ask(self) -> None:
        """Let the main thread call the function, as soon as it runs Python code.

        Nothing happens where Python has too many calls pending.
        """
        if not self._asked:
            self._asked = True
            if ctypes.pythonapi.Py_AddPendingCall(self._pointer, None):
                self._asked = False

    def _run(self, _: object) -> int:
        # Nothing can be raised through C; an interrupt comes once more, when this is over.
        try:
            self._asked = False
            self._function()
        except Exception:
            return 0
        except BaseException:
            _thread.interrupt_main()
        return 0
