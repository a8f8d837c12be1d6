"""`python FILE ARGUMENTS`: the command line on a worker that repeats a recorded session.

All but the worker is real. Nothing is imported that trains. `PROGRAM` starts with it, in place of
the installed command.
"""

from __future__ import annotations

import select
import socket
import sys
from itertools import islice
from pathlib import Path

import msgspec
from vramtop.protocol.commands import Stop
from vramtop.protocol.gpus import GpusReport
from vramtop.protocol.lesson.commands import Start
from vramtop.protocol.lesson.messages import LessonEnded, LessonSample
from vramtop.protocol.wire.envelope import Envelope
from vramtop.protocol.wire.framing import FromWorker, encode, to_worker
from vramtop.protocol.wire.recording import Reader

PROGRAM = (sys.executable, __file__)
SESSION = Path(__file__).parents[2] / "docs" / "session-cpu.jsonl"
LAST = 12  # envelopes; then the batch size was changed
STEP_SECONDS = 0.01


def main() -> int:
    """The command line as installed, but for the worker."""
    from vramtop.tui.cli import main as cli

    repeat()
    return cli.main(sys.argv[1:])


def repeat() -> None:
    """Let each worker that this process starts repeat the recorded session."""
    from vramtop.tui.worker import process

    process.command = lambda _, *arguments: [*PROGRAM, *arguments]


def worker(connection: socket.socket) -> None:
    """Say what was said, and end when asked to.

    A training of so many steps then ends. One in which every step sends a sample goes on with
    copies of the last one. Any other rests.
    """
    decoder, start = to_worker(), None
    while start is None:
        if not (data := connection.recv(65_536)):
            return
        start = next((each for each in decoder.feed(data) if isinstance(each, Start)), None)
    said: Envelope[FromWorker] | None = None
    for envelope in islice(Reader(SESSION), LAST):
        if not isinstance(envelope.message, GpusReport):
            connection.sendall(encode(envelope))
            said = envelope
    assert said is not None
    sample = said.message
    assert isinstance(sample, LessonSample)
    if start.steps is not None:
        end = LessonEnded(start.steps, sample.images)
        connection.sendall(encode(msgspec.structs.replace(said, message=end)))
    goes_on = start.every_step and start.steps is None
    while True:
        ready, _, _ = select.select([connection], [], [], STEP_SECONDS if goes_on else None)
        if ready:
            data = connection.recv(65_536)
            if not data or any(isinstance(command, Stop) for command in decoder.feed(data)):
                return
        else:
            sample = msgspec.structs.replace(sample, step=sample.step + 1)
            connection.sendall(encode(msgspec.structs.replace(said, message=sample)))


if __name__ == "__main__":
    if sys.argv[1] == "--socket":
        worker(socket.socket(fileno=int(sys.argv[2])))
    else:
        sys.exit(main())
