"""Runs one of the apps in the terminal until it is left."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.terminal import capabilities
from vramtop.tui.terminal.capabilities import Terminal, believed
from vramtop.tui.terminal.exits import INTERRUPTED
from vramtop.tui.terminal.output import complain, say
from vramtop.tui.worker.link import Watch

from .config import usual
from .ending import Ending
from .state_app import StateApp
from .watched_driver import watched

if TYPE_CHECKING:
    from vramtop.tui.programs.link import ProgramLink


def monitor(settings: Settings, *, tour: bool) -> int:
    """Run the app with a training until it is left; returns the program's exit code.

    With `tour` it begins with the guided tour.
    """
    # The GPUs alone need none of this.
    from vramtop.tui.worker.succession import begin

    from .lesson_app import VramtopApp

    start = partial(begin, settings)
    app = VramtopApp(settings, start, _watch, _terminal(), usual(), tour=tour)
    asyncio.run(_run(app))
    if app.usage_error is not None:
        for line in app.printed:
            say(line)
        complain(app.usage_error)
    return app.return_code or 0


def show_program(link: ProgramLink) -> int:
    """Run the app on a program until it is left; returns the exit code."""
    from .program_app import ProgramApp

    app = ProgramApp(link, _watch, _terminal(), usual())
    asyncio.run(_run(app))
    if app.refusal is not None:
        complain(app.refusal)
    return app.return_code or 0


def show_gpus() -> int:
    """Run the app with the GPUs alone until it is left; returns the program's exit code."""
    from .gpu_app import GpuApp

    app = GpuApp(_watch, _terminal(), usual())
    asyncio.run(_run(app))
    return app.return_code or 0


def _terminal() -> Terminal:
    """The terminal. COLORTERM is removed where it claims colours that the terminal lacks."""
    if os.environ.keys() - believed(os.environ):
        del os.environ["COLORTERM"]
    # Textual draws on stderr.
    return capabilities.look(os.environ, sys.stderr.encoding)


def _watch() -> Watch:
    """The sampler of the GPUs, which the app asks for once the first frame is drawn."""
    # The garbage collector was disabled until now. What there is stays, and is not searched again.
    gc.freeze()
    gc.enable()
    # Imported only now, so that the first frame does not wait for it.
    from vramtop.tui.gpus.sampler import Sampler
    from vramtop.tui.programs.entrances import Entrances

    return Sampler(look=Entrances())


async def _run(app: StateApp) -> None:
    """Run the app. A signal or a closed terminal ends it as `q` does, or else by force."""
    # Textual believes these where a shell exports them, and then never sees the terminal resized.
    for variable in ("COLUMNS", "LINES"):
        os.environ.pop(variable, None)
    leave = partial(app.exit, return_code=INTERRUPTED)
    loop = asyncio.get_running_loop()
    ending = Ending(lambda: loop.call_soon_threadsafe(leave))
    ending.begin()
    app.driver_class = watched(app, ending)
    await app.run_async()
