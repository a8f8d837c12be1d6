"""`vramtop attach PID --headless`: looks into a program that runs already, and leaves it again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vramtop.protocol.observed.record import FromObserver, WatchedStep
from vramtop.tui.programs import inject
from vramtop.tui.programs.programs import Program, follow
from vramtop.tui.programs.target import CannotAttach
from vramtop.tui.programs.viewer import CannotView, connect
from vramtop.tui.terminal.capabilities import cannot_place
from vramtop.tui.terminal.exits import FAILED, FINE
from vramtop.tui.terminal.output import complain
from vramtop.tui.words import units

from .program_output import ProgramOutput

_ANSWER_SECONDS = 3.0  # for the program's answer who holds what is in *other*
_ASKED_TO_LEAVE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def attach(pid: int, steps: int | None, output: ProgramOutput, *, status: bool) -> int:
    """Watch `steps` steps, or until the program ends or a signal comes; returns the exit code.

    With `status` a line on the terminal says how far it is. The program goes on.
    """
    line = _StatusLine(shown=status)
    line.write(f"looking into process {pid}")
    try:
        viewer = await connect(await asyncio.to_thread(inject.attach, pid))
    except (CannotAttach, CannotView) as error:
        line.clear()
        complain(error)
        return FAILED
    program = Program(viewer.observed)
    numbers: set[int] = set()
    enough = asyncio.Event()

    def heard(_: Program, message: FromObserver) -> None:
        output.heard(program, message)
        if isinstance(message, WatchedStep):
            numbers.add(message.number)
        # Several devices of one watched step have a message each, and then something else comes.
        elif output.closed or (steps is not None and len(numbers) >= steps):
            if output.closed or not program.names.waiting:
                enough.set()
            asyncio.get_running_loop().call_later(_ANSWER_SECONDS, enough.set)
        line.write(_progress(program))

    following = asyncio.create_task(follow(viewer, program, heard))
    with _signals_set(enough):
        leaving = asyncio.create_task(enough.wait())
        await asyncio.wait((following, leaving), return_when=asyncio.FIRST_COMPLETED)
        for task in (following, leaving):
            task.cancel()
        await asyncio.wait((following, leaving))
    line.clear()
    output.end()
    if not program.latest:
        complain(program.why_nothing)
        return FAILED
    if program.ended:
        complain(f"{program.name} has ended")
    elif program.lost:
        complain(f"{program.name} was killed, or hung up")
    elif program.removed:
        complain(f"{program.name} is no longer watched: {program.trouble}")
    return FINE


def _progress(program: Program) -> str:
    steps = program.progress.steps
    counted = "" if steps is None else f"{steps:,} steps, "
    watched = f"{counted}{program.watched:,} watched"
    return f"{program.name}: {watched}; ctrl-C leaves it, and shows the table"


@contextmanager
def _signals_set(event: asyncio.Event) -> Iterator[None]:
    """Let the signals that ask us to leave set this event instead."""
    loop = asyncio.get_running_loop()
    handled = [each for each in _ASKED_TO_LEAVE if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.getsignal(number) for number in handled}
    for number in handled:
        loop.add_signal_handler(number, event.set)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])


class _StatusLine:
    """A line on stderr that replaces itself, where that is a terminal."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown and sys.stderr.isatty() and not cannot_place(os.environ)

    def write(self, text: str) -> None:
        """Show this instead of what was there."""
        if self._shown:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\x1b[K{units.cut(text, width)}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Leave nothing behind."""
        self.write("")
