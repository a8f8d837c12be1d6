"""Starts a program so that it is observed from its first work with PyTorch on."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from .sockets import FOLDER, MONITOR, RUN, folder, forget_killed, make_folder
from .viewer import CannotView, Viewer, greeted

AUTOLOAD = Path(__file__).parents[2] / "observer" / "program" / "autoload"
_SWITCH = "TORCH_DEVICE_BACKEND_AUTOLOAD"  # of PyTorch's: anything but 1 turns autoload off
_ISOLATED = "IE"  # options of Python with which it ignores PYTHONPATH
_FROM_A_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
_PASSED_ON = (*_FROM_A_TERMINAL, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


NOT_FOUND, NOT_EXECUTABLE = 127, 126  # the exit codes that shells give


class CannotStart(Exception):
    """Why a command cannot be started, in one line."""

    def __init__(self, reason: str, exit_code: int = NOT_EXECUTABLE) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


class Callers:
    """The programs that connect with our socket: those that we have started, and their children.

    `path` is that socket.
    """

    def __init__(
        self, path: Path, server: asyncio.AbstractServer, called: asyncio.Queue[Viewer | CannotView]
    ) -> None:
        self.path = path
        self._server, self._called = server, called

    async def next(self) -> Viewer:
        """The next program that connects. Raises `CannotView` where that one cannot be watched."""
        called = await self._called.get()
        if isinstance(called, CannotView):
            raise called
        return called

    def close(self) -> None:
        """Stop accepting programs, and remove the socket."""
        self._server.close()
        with suppress(OSError):
            self.path.unlink()


async def callers() -> Callers:
    """Wait for calls; raises `CannotStart`."""
    called: asyncio.Queue[Viewer | CannotView] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            called.put_nowait(await greeted(reader, writer))
        except CannotView as error:
            called.put_nowait(error)

    path = Path(folder(), f"{RUN}{os.getpid()}")
    try:
        make_folder(path.parent, os.geteuid())
        forget_killed(path.parent)
        with suppress(FileNotFoundError):
            path.unlink()
        server = await asyncio.start_unix_server(take, str(path))
    except OSError as error:
        raise CannotStart(f"{error.filename or path} {error.strerror or error}") from error
    return Callers(path, server, called)


def environment(monitor: Path, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a program that is observed: its own, with our folder in front."""
    paths = [str(AUTOLOAD), *filter(None, [given.get("PYTHONPATH")])]
    return {
        **given,
        "PYTHONPATH": os.pathsep.join(paths),
        FOLDER: folder(environment=given),
        MONITOR: str(monitor),
    }


def why_not(command: Sequence[str], given: Mapping[str, str] = os.environ) -> str | None:
    """Why this command would not be observed; None where nothing that is known is in the way."""
    if given.get(_SWITCH, "1") != "1":
        return f"{_SWITCH} is {given[_SWITCH]}, which keeps the observer out; vramtop attach works"
    if os.pathsep in str(AUTOLOAD):
        return f"vramtop lies in a folder with {os.pathsep} in its name; vramtop attach works"
    for option in _options_of_python(command):
        if {*option} & {*_ISOLATED}:
            return (
                f"python -{option} ignores PYTHONPATH, which keeps the observer out; "
                "vramtop attach works"
            )
    return None


def _options_of_python(command: Sequence[str]) -> Iterator[str]:
    """The letters of a Python's options, without their hyphen, up to what it runs."""
    if not Path(command[0]).name.startswith("python"):
        return
    arguments = iter(command[1:])
    for argument in arguments:
        if not argument.startswith("-") or argument.startswith("--"):
            return
        letters = re.match(r"[^cmWX]*", argument[1:])
        assert letters is not None
        yield letters[0]
        rest = argument[1 + letters.end() :]
        if rest[:1] in ("c", "m"):
            return
        if rest in ("W", "X"):
            next(arguments, None)


async def start(
    command: Sequence[str], monitor: Path | None, terminal: int | None = None
) -> asyncio.subprocess.Process:
    """Start the program with the caller's own stdin, stdout and stderr; raises `CannotStart`.

    With a `terminal` it gets that instead, in a session of its own. Without a monitor that it could
    call, it gets the caller's own environment.
    """
    env = None if monitor is None else environment(monitor)
    try:
        if terminal is None:
            return await asyncio.create_subprocess_exec(*command, env=env)
        return await asyncio.create_subprocess_exec(
            *command,
            env=env,
            stdin=terminal, stdout=terminal, stderr=terminal,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise CannotStart(f"{command[0]}: no such command", NOT_FOUND) from error
    except (OSError, ValueError) as error:
        raise CannotStart(f"{command[0]}: {getattr(error, 'strerror', None) or error}") from error


def _take_terminal() -> None:
    """In the program's process: its stdin becomes the terminal of its session."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def exit_code(code: int) -> int:
    """The exit code as shells tell it: 128 and a signal's number where that ended the program."""
    return 128 - code if code < 0 else code


@contextmanager
def signals_passed_on(process: asyncio.subprocess.Process) -> Iterator[None]:
    """Give the program the signals that we receive, so that it decides when to end.

    What the keys of a terminal send reaches both of us, and is not sent twice.
    """
    loop = asyncio.get_running_loop()

    def pass_on(number: signal.Signals) -> None:
        if not (number in _FROM_A_TERMINAL and _in_front()):
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)

    handled = [each for each in _PASSED_ON if signal.getsignal(each) is not signal.SIG_IGN]
    for number in handled:
        loop.add_signal_handler(number, pass_on, number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _in_front() -> bool:
    """Whether a terminal's keys send their signals to us."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
