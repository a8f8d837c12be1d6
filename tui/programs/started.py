"""A command that is run on a terminal of its own, as the worker of the screen."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import termios
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from vramtop.protocol.messages import Note
from vramtop.tui.words import units
from vramtop.tui.worker.link import AwaitsInput, Parted, Watched

from .launch import Callers, CannotStart, callers, exit_code, start, why_not
from .link import Heard, ProgramLink, nobody
from .printed import Printed
from .reading import waits_for_input
from .shown import Shown
from .viewer import CannotView

KEPT_LINES = 20  # for the terminal, after the screen has gone
_LAST_SECONDS = 2.0  # for the last words of programs, once the command has ended
_LOOK_SECONDS = 1.0  # from one look whether the command waits for input to the next
_CHUNK = 65_536
_NAME = 40  # characters of the command


class Started(ProgramLink):
    """Runs a command, and watches the programs in it that work with PyTorch.

    `code` is the command's exit code, None while it runs; `asked` tells that it was asked to end.
    `lines` are the last that it printed.
    """

    started = True

    def __init__(
        self, command: Sequence[str], size: tuple[int, int], heard: Heard = nobody
    ) -> None:
        super().__init__(heard)
        self.code: int | None = None
        self.asked = False
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._command, self._size = command, size
        self._printed = Printed()
        self._process: asyncio.subprocess.Process | None = None
        self._called: Callers | None = None
        self._terminal, self._terminal_name = -1, ""
        self._waits = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Started:
        """Start the command; if that fails, the screen says so."""
        name = " ".join([Path(self._command[0]).name, *self._command[1:]])
        reason = why_not(self._command)
        if reason is not None:
            self.say(Note(reason))
        self._called = await self._callers()
        try:
            self._process = await self._start(self._called.path if self._called else None)
        except CannotStart as error:
            self.code = error.exit_code
            self.say(Parted(str(error), over=True, trouble=True))
            return self
        self.say(
            Watched(
                program=units.cut(name, _NAME),
                pid=self._process.pid,
                trouble=reason or "",
                started=True,
            )
        )
        self._tasks = [
            asyncio.create_task(self._wait(self._process)),
            asyncio.create_task(self._look(self._process.pid)),
        ]
        if self._called is not None:
            self._tasks.append(asyncio.create_task(self._take(self._called)))
        return self

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the command to end."""
        if self._process is not None and self.code is None:
            self.asked = True
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def type_line(self, text: str) -> bool:
        """Give the command a line of input; False where it takes none."""
        line = f"{text}\n".encode()
        with suppress(OSError):
            if self.code is None and self._terminal >= 0:
                return os.write(self._terminal, line) == len(line)
        return False

    def resize(self, size: tuple[int, int]) -> None:
        """Give the command's terminal this size in columns and lines; the command gets SIGWINCH."""
        self._size = size
        if self._terminal >= 0:
            _set_size(self._terminal, size)

    async def close(self) -> None:
        """Leave; a command that still runs is asked to end, unless it was already."""
        if not self.asked:
            self.end()
        if self._process is not None and self.code is None:
            self.code = exit_code(await self._process.wait())
        for task in self._tasks:
            task.cancel()
        if self._called is not None:
            self._called.close()
        await super().close()
        self._hang_up()

    def ended(self, shown: Shown, reason: str) -> None:
        """The command may go on with another program, or without being watched."""
        if reason:
            self.say(Parted(f"{reason}; the program goes on", over=False, trouble=True))
        elif self._process is None or shown.observed.pid != self._process.pid:
            self.say(Note(f"{shown.name} has ended"))

    # ---- the command ------------------------------------------------------------------------

    async def _callers(self) -> Callers | None:
        try:
            return await callers()
        except CannotStart as error:
            self.say(Note(f"nothing is watched: {error}"))
            return None

    async def _start(self, monitor: Path | None) -> asyncio.subprocess.Process:
        self._terminal, theirs = pty.openpty()
        self._terminal_name = os.ttyname(theirs)
        try:
            _set_size(theirs, self._size)
            process = await start(self._command, monitor, theirs)
        finally:
            os.close(theirs)
        os.set_blocking(self._terminal, False)
        asyncio.get_running_loop().add_reader(self._terminal, self._read)
        return process

    def _read(self) -> None:
        """What the program has printed. The last process that holds its terminal ends it."""
        try:
            data = os.read(self._terminal, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        for line in self._printed.lines(data):
            if line.again and self.lines:
                self.lines.pop()
            self.lines.append(line.text)
            self.say(line)

    def _hang_up(self) -> None:
        if self._terminal >= 0:
            asyncio.get_running_loop().remove_reader(self._terminal)
            os.close(self._terminal)
            self._terminal = -1

    async def _wait(self, process: asyncio.subprocess.Process) -> None:
        """Wait for the command's end, and for the last words of its programs."""
        code = exit_code(await process.wait())
        if self._following:
            await asyncio.wait(self._following, timeout=_LAST_SECONDS)
        self.code = code
        how = "" if code == 0 else f" with exit code {code}"
        nothing = "; no process of it worked with PyTorch"
        if self.known:
            seen = any(program.latest for program in self.known)
            nothing = "" if seen else f"; no step was watched{self.known[0].too_short}"
        self.say(Parted(f"the program has ended{how}{nothing}", over=True, trouble=code != 0))

    async def _look(self, pid: int) -> None:
        """Say when the command waits for input, and when it does so no more."""
        while self._terminal >= 0:
            waits = waits_for_input(pid, self._terminal, self._terminal_name)
            if waits != self._waits:
                self._waits = waits
                self.say(AwaitsInput(waits))
            await asyncio.sleep(_LOOK_SECONDS)

    async def _take(self, called: Callers) -> None:
        """Watch each program that calls."""
        while True:
            try:
                self.follow(await called.next())
            except CannotView as error:
                self.say(Note(str(error)))


def _set_size(terminal: int, size: tuple[int, int]) -> None:
    columns, lines = size
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))
