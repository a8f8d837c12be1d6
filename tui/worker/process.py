"""Starts, talks to and ends the worker process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TypeAlias

from msgspec import UNSET
from msgspec.structs import replace
from vramtop.protocol.commands import Stop
from vramtop.protocol.lesson.commands import Change, Reset, Start
from vramtop.protocol.lesson.messages import Configured, Trying
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.lesson.shelf import Shelf
from vramtop.protocol.messages import VERSION, Failed, Hello
from vramtop.protocol.wire.envelope import Envelope, Stamp
from vramtop.protocol.wire.framing import FromWorker, ProtocolError, ToWorker, encode, from_worker

from .launch import command, environment
from .link import WorkerGone, WorkerLine

LAST_LINES = 20
STOP_SECONDS = 3.0
BACKLOG = 1000
_READ_BYTES = 65_536

_Received: TypeAlias = FromWorker | WorkerLine | WorkerGone


class Worker:
    """The link to a worker process of our own.

    `began` is when the session began, by `time.monotonic()`.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        began: float,
    ) -> None:
        self._process = process
        # For what the monitor learns of the worker by itself: its lines, and its end.
        self._stamp = Stamp(began)
        self._stamp.sender = replace(self._stamp.sender, pid=process.pid)
        self._reader = reader
        self._writer = writer
        self.stopping = False
        self._training = False
        self._tried: int | None = None  # the batch size tried last
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._printed = asyncio.Event()  # set once everything it printed was received
        # Bounded: when it is full, the socket is not read, and a patient worker waits.
        self._received: asyncio.Queue[Envelope[_Received]] = asyncio.Queue(BACKLOG)
        self._task = asyncio.create_task(self._receive())

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    @property
    def began(self) -> float:
        """When the session began, by `time.monotonic()`."""
        return self._stamp.began

    async def messages(self) -> AsyncIterator[Envelope[_Received]]:
        """All that the worker says and prints, in order of arrival; last of all `WorkerGone`.

        Lines and messages arrive on different ways. `Failed` waits until all lines have come.
        """
        while True:
            envelope = await self._received.get()
            yield envelope
            if isinstance(envelope.message, WorkerGone):
                return

    def send(self, command: ToWorker) -> None:
        """Send a command. If the worker is gone, the command is lost."""
        if isinstance(command, Change) and command.batch_size is not UNSET:
            self._tried = command.batch_size
        elif isinstance(command, Reset):
            self._tried = command.settings.batch_size
        if not self._writer.is_closing():
            self._writer.write(encode(command))

    def stop(self) -> None:
        """Ask the worker to end its training. Its last messages come before `WorkerGone`."""
        self.stopping = True
        self.send(Stop())
        if not self._training:
            # It is still importing or loading: it reads no commands, and nothing can be lost.
            self.kill()

    def kill(self) -> None:
        """End the worker at once, whatever it is doing."""
        self.stopping = True
        if self._process.returncode is None:
            # The process object's `kill` may take the exit code that the event loop waits for.
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Ask the worker to end; kill it if it has not after `STOP_SECONDS`."""
        self.stop()
        # Its last messages are read and dropped; a worker whose reader stops would wait for ever.
        rest = asyncio.create_task(self._discard())
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except asyncio.TimeoutError:
            self.kill()
            await self._process.wait()
        self._writer.close()
        # A worker that has just ended may have missed the last command. asyncio would report that.
        with suppress(ConnectionError):
            await self._writer.wait_closed()
        self._task.cancel()
        rest.cancel()
        await asyncio.gather(self._task, rest, return_exceptions=True)

    async def _discard(self) -> None:
        while True:
            await self._received.get()

    async def _receive(self) -> None:
        await asyncio.gather(self._receive_messages(), self._receive_lines())
        code = await self._process.wait()
        await self._add(WorkerGone(code, tuple(self._lines), self._tried))

    async def _receive_messages(self) -> None:
        decoder = from_worker()
        try:
            while data := await self._reader.read(_READ_BYTES):
                for envelope in decoder.feed(data):
                    message = envelope.message
                    self._stamp.sender = envelope.sender
                    if isinstance(message, Configured):
                        self._training = True
                        self._tried = message.settings.batch_size
                    elif isinstance(message, Trying):
                        self._tried = message.batch_size
                    if isinstance(message, Hello) and message.version != VERSION:
                        raise ProtocolError(
                            f"it speaks protocol {message.version}, the monitor {VERSION}"
                        )
                    if isinstance(message, Failed):
                        await self._hear_all()
                    await self._received.put(envelope)
        except ConnectionError:
            pass  # it died; its exit code will say how
        except ProtocolError as error:
            await self._print(f"worker: {error}")
            self._process.kill()  # its exit code tells that it failed

    async def _hear_all(self) -> None:
        """Wait for all lines of a worker that failed: its reader may leave once `Failed` comes."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._printed.wait(), STOP_SECONDS)

    async def _receive_lines(self) -> None:
        assert self._process.stdout is not None
        line = b""
        while data := await self._process.stdout.read(_READ_BYTES):
            # A progress bar ends its lines with \r. A line without an end is cut to its last part.
            *whole, line = (line + data).replace(b"\r", b"\n")[-_READ_BYTES:].split(b"\n")
            for text in filter(None, whole):
                await self._print(text.decode(errors="replace").rstrip())
        if line:
            await self._print(line.decode(errors="replace").rstrip())
        self._printed.set()

    async def _print(self, line: str) -> None:
        self._lines.append(line)
        await self._add(WorkerLine(line))

    async def _add(self, message: WorkerLine | WorkerGone) -> None:
        await self._received.put(self._stamp.envelope(message))


async def start_worker(
    settings: Settings,
    *,
    steps: int | None = None,
    images: int | None = None,
    evaluate: bool = False,
    every_step: bool = False,
    observe: bool = True,
    train: bool = True,
    shelf: Shelf | None = None,
    resume: bool = False,
    began: float | None = None,
) -> Worker:
    """A worker process that trains with `settings` and puts its snapshots on the `shelf`.

    `began` is when the session began, by `time.monotonic()`; None is now. `protocol.lesson.Start`
    describes the rest. Raises `OSError` where no process can be started.
    """
    began = time.monotonic() if began is None else began
    ours, theirs = socket.socketpair()
    snapshots = shelf.files if shelf is not None else ()
    place = ("--shelf", *map(str, snapshots)) if snapshots else ()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *command(
                "vramtop.trainer",
                *("--socket", str(theirs.fileno()), "--parent", str(os.getpid())),
                *place,
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=(theirs.fileno(), *snapshots),
            env=environment(),
            # In a session of its own ctrl-C does not reach it; the monitor handles that key.
            start_new_session=True,
        )
    # The process starts meanwhile.
    free = dict[str, int]()
    if settings.device in ("auto", "cuda"):
        # Imported only now, so that the first frame does not wait for it.
        from vramtop.tui.gpus.vacancy import free_bytes

        free = await free_bytes()
    reader, writer = await asyncio.open_connection(sock=ours)
    worker = Worker(process, reader, writer, began)
    worker.send(
        Start(
            VERSION,
            settings,
            steps=steps,
            images=images,
            evaluate=evaluate,
            every_step=every_step,
            observe=observe,
            train=train,
            resume=resume,
            free=free,
            began=began,
        )
    )
    return worker
