"""Runs the screen, with a worker of its own or without one."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import termios
import threading
import time
from functools import partial

from ..trainer.settings import Settings
from . import terminal
from .app import VramtopApp
from .config import usual
from .exits import INTERRUPTED
from .link import Watch
from .output import complain, say
from .state_app import StateApp
from .succession import begin
from .terminal import Terminal, believed
from .worker import STOP_SECONDS

# How often it is looked whether there still is a terminal.
_LOOK_SECONDS = 5


def monitor(settings: Settings, *, tour: bool) -> int:
    """The monitor until it is left, with a guided tour first; returns the program's exit code."""
    start = partial(begin, settings)
    app = VramtopApp(settings, start, _watch, _terminal(), usual(), tour=tour)
    asyncio.run(_run(app))
    if app.usage_error is not None:
        for line in app.printed:
            say(line)
        complain(app.usage_error)
    return app.return_code or 0


def look() -> int:
    """The GPUs alone until they are left; returns the exit code of the program."""
    from .gpu_app import GpuApp

    app = GpuApp(_watch, _terminal(), usual())
    asyncio.run(_run(app))
    return app.return_code or 0


def _terminal() -> Terminal:
    """The terminal; from now on nobody else in here believes that it has more colours."""
    if os.environ.keys() - believed(os.environ):
        del os.environ["COLORTERM"]
    # Textual draws on stderr.
    return terminal.look(os.environ, sys.stderr.encoding)


def _watch() -> Watch:
    """Who looks at the GPUs, wanted once the first frame stands."""
    # Garbage is collected from now on; what is there stays, and need not be looked through again.
    gc.freeze()
    gc.enable()
    # Only now: the first frame need not wait for what it imports.
    from .gpu import Sampler

    return Sampler()


def _outlive_no_terminal() -> None:
    """End the process some time after its terminal is gone, however it is stuck.

    Textual waits without end where it can write no more, and then hears no signal.
    """
    while True:
        time.sleep(_LOOK_SECONDS)
        try:
            termios.tcgetattr(0)
        except termios.error:
            time.sleep(STOP_SECONDS + 2)  # for whoever ends in good order
            os._exit(INTERRUPTED)


async def _run(app: StateApp) -> None:
    """The app, which a word to end or a closed terminal ends as `q` does."""
    threading.Thread(target=_outlive_no_terminal, name="terminal", daemon=True).start()
    # Where a shell exports these, Textual would believe them and never see the terminal resized.
    for variable in ("COLUMNS", "LINES"):
        os.environ.pop(variable, None)
    loop = asyncio.get_running_loop()

    def end() -> None:
        app.exit(return_code=INTERRUPTED)

    def hang_up(*_: object) -> None:
        # A terminal that closes also says "go on", which Textual would take as the end of a
        # suspension: it would read again from what is no more. That word may come together with
        # this one, so here is no time to wait for the loop.
        signal.signal(signal.SIGCONT, signal.SIG_IGN)
        # And where there is nothing to write to, it may wait for its last words forever.
        limit = threading.Timer(STOP_SECONDS + 2, os._exit, [INTERRUPTED])
        limit.daemon = True
        limit.start()
        loop.call_soon_threadsafe(end)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    signal.signal(signal.SIGHUP, hang_up)
    await app.run_async()
