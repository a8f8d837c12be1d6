"""How a worker ended, in one line."""

from __future__ import annotations

import signal

from .link import WorkerGone


def gone(event: WorkerGone) -> str:
    """How the worker ended: `the worker is gone (SIGTERM)`.

    SIGKILL comes as a rule from the kernel, when memory runs out.
    """
    if event.killed:
        size = "" if event.batch_size is None else f" with batch {event.batch_size:,}"
        return f"the worker was killed (SIGKILL){size}, probably for lack of memory"
    return f"the worker is gone ({_end(event)})"


def gone_in_short(event: WorkerGone) -> tuple[str, ...]:
    """The same in fewer and fewer words: `gone (SIGTERM)`."""
    if event.killed:
        return "killed (SIGKILL), probably for lack of memory", "killed (SIGKILL)"
    return (f"gone ({_end(event)})",)


def _end(event: WorkerGone) -> str:
    """The exit code, or the signal's name."""
    if event.exit_code >= 0:
        return f"exit code {event.exit_code}"
    try:
        return signal.Signals(-event.exit_code).name
    except ValueError:
        return f"signal {-event.exit_code}"
