"""Calls in the main thread, while Python has room for more of them and where it has not."""

from __future__ import annotations

import ctypes
import threading

from vramtop.observer.program.main_thread import MainThread
from watched import wait_until


def test_a_call_for_which_python_has_no_room_can_be_asked_for_again() -> None:
    called = threading.Event()
    asked = MainThread(called.set)
    nothing = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _: 0)

    def ask() -> None:
        while not ctypes.pythonapi.Py_AddPendingCall(nothing, None):
            pass
        asked.ask()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()  # the main thread waits in C, and makes no calls
    wait_until(called.is_set, asked.ask)
