"""Runs the screen, with a worker of its own or without one."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from functools import partial

from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.terminal import capabilities
from vramtop.tui.terminal.capabilities import Terminal, believed
from vramtop.tui.terminal.exits import INTERRUPTED
from vramtop.tui.terminal.output import complain, say
from vramtop.tui.worker.link import Watch
from vramtop.tui.worker.succession import begin

from .config import usual
from .ending import Ending
from .lesson_app import VramtopApp
from .state_app import StateApp
from .watched_driver import watched


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


def show_gpus() -> int:
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
    return capabilities.look(os.environ, sys.stderr.encoding)


def _watch() -> Watch:
    """Who looks at the GPUs, wanted once the first frame stands."""
    # Garbage is collected from now on; what is there stays, and need not be looked through again.
    gc.freeze()
    gc.enable()
    # Only now: the first frame need not wait for what it imports.
    from vramtop.tui.gpus.sampler import Sampler

    return Sampler()


async def _run(app: StateApp) -> None:
    """The app, which a word to end or a closed terminal ends as `q` does, or else by force."""
    # Where a shell exports these, Textual would believe them and never see the terminal resized.
    for variable in ("COLUMNS", "LINES"):
        os.environ.pop(variable, None)
    leave = partial(app.exit, return_code=INTERRUPTED)
    loop = asyncio.get_running_loop()
    ending = Ending(lambda: loop.call_soon_threadsafe(leave))
    ending.begin()
    app.driver_class = watched(app, ending)
    await app.run_async()
