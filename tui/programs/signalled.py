"""Sends a signal to a process, if it is still the one that was asked about."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

_SAME_SECONDS = 1.0  # by which the clock that start times go by may be set


class CannotSignal(Exception):
    """The process gets no signal; the text is the reason, in one line."""


def check(pid: int, started: float | None) -> None:
    """Raise `CannotSignal` unless we may end the process with this pid and start time.

    `started` is in seconds since 1970. A process that has the pid since then is another one.
    """
    if started is None:
        raise CannotSignal(f"nothing is known of process {pid} here: it cannot be ended from here")
    try:
        process = psutil.Process(pid)
        born, uid = process.create_time(), process.uids().real
        ended = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        user = process.username()
    except psutil.NoSuchProcess:
        raise CannotSignal(f"process {pid} has ended") from None
    except psutil.AccessDenied:
        raise CannotSignal(f"process {pid} is not ours to end") from None
    if abs(born - started) > _SAME_SECONDS:
        raise CannotSignal(f"process {pid} has ended; another one has its number now")
    if ended:
        raise CannotSignal(f"process {pid} has ended; only its exit code is left")
    if os.geteuid() not in (0, uid):
        raise CannotSignal(f"process {pid} belongs to {user}: only {user} and root can end it")


def send(pid: int, started: float | None, number: signal.Signals) -> None:
    """Send the signal; raises `CannotSignal` as `check` does, or where the system refuses."""
    try:
        with _held(pid) as handle:
            check(pid, started)
            if handle is None:
                os.kill(pid, number)
            else:
                signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        raise CannotSignal(f"process {pid} has ended") from None
    except PermissionError:
        raise CannotSignal(f"the system lets nobody here end process {pid}") from None


@contextmanager
def _held(pid: int) -> Iterator[int | None]:
    """A handle that means this process even when another one gets its pid; None without any."""
    handle = None
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):  # an old kernel; or the process is gone, which is found out later
            handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)
