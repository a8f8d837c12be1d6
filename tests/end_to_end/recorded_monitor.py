"""`python FILE ARGUMENTS`: the monitor on a worker that repeats a recorded session.

The terminal and all that is drawn there are real. Nothing is imported that trains.
"""

from __future__ import annotations

import socket
import sys
from itertools import islice
from pathlib import Path

from vramtop.protocol.commands import Stop
from vramtop.protocol.gpus import GpusReport
from vramtop.protocol.wire.framing import encode, to_worker
from vramtop.protocol.wire.recording import Reader

SESSION = Path(__file__).parents[2] / "docs" / "session-cpu.jsonl"
LAST = 12  # envelopes; then the batch size was changed


def main() -> int:
    """The command line as installed, but for the worker."""
    from vramtop.tui.cli import main as cli
    from vramtop.tui.worker import process

    def command(_: str, *arguments: str) -> list[str]:
        return [sys.executable, __file__, *arguments]

    process.command = command
    return cli.main(sys.argv[1:])


def worker(connection: socket.socket) -> None:
    """Say what was said, and end when asked to."""
    for envelope in islice(Reader(SESSION), LAST):
        if not isinstance(envelope.message, GpusReport):
            connection.sendall(encode(envelope))
    decoder = to_worker()
    while data := connection.recv(65_536):
        if any(isinstance(command, Stop) for command in decoder.feed(data)):
            return


if __name__ == "__main__":
    if sys.argv[1] == "--socket":
        worker(socket.socket(fileno=int(sys.argv[2])))
    else:
        sys.exit(main())
