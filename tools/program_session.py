"""Record a session of a program that is watched: `python tools/program_session.py [DEVICE]`.

Runs `tests/tui/train.py` as `vramtop run` does. What its observer says, what it prints and what
NVML says go to docs/session-program.jsonl, a JSON object a line with one of `said`, `printed` and
`gpus`. The tests in tests/tui/app/test_pictures.py draw the screens from it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from vramtop.protocol.gpus import GpusReport
from vramtop.protocol.observed.record import FromObserver, Observed, WatchedStep
from vramtop.tui.gpus.sampler import Sampler
from vramtop.tui.programs.programs import Program
from vramtop.tui.programs.shown import Shown
from vramtop.tui.programs.started import Started
from vramtop.tui.worker.link import Parted, Received, WorkerLine

ROOT = Path(__file__).parent.parent
SESSION = ROOT / "docs" / "session-program.jsonl"
STEPS = 800
WATCHED = (1, 2)  # of the watched steps those that are kept; each takes 70 kB


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message, and the seconds after which it came."""

    seconds: float
    said: FromObserver | None = None
    printed: str | None = None
    gpus: GpusReport | None = None


def read(path: Path) -> list[Entry]:
    """All that came, in order."""
    decoder = msgspec.json.Decoder(Entry)
    return [decoder.decode(line) for line in path.read_bytes().splitlines()]


def shown(entries: Iterable[Entry], *, started: bool = True) -> Iterator[Received]:
    """The messages by which the screen shows it."""
    screen: Shown | None = None
    for entry in entries:
        if entry.printed is not None:
            yield WorkerLine(entry.printed)
        elif entry.gpus is not None:
            yield entry.gpus
        elif isinstance(entry.said, Observed):
            screen = Shown(Program(entry.said), started=started)
            yield from screen.begin()
        elif screen is not None and entry.said is not None:
            yield from screen.messages(entry.said)


async def main(device: str) -> None:
    """Record a session and write it."""
    began, kept, watched = time.monotonic(), list[Entry](), 0

    def add(**what: object) -> None:
        kept.append(Entry(round(time.monotonic() - began, 3), **what))  # type: ignore[arg-type]

    def heard(program: Program, message: FromObserver) -> None:
        nonlocal watched
        if not any(entry.said for entry in kept):
            add(said=program.observed)
        watched += isinstance(message, WatchedStep)
        if not isinstance(message, WatchedStep) or watched in WATCHED:
            add(said=message)

    async def look() -> None:
        async for report in sampler.reports():
            if watched < WATCHED[-1]:
                add(gpus=report)

    sampler = Sampler()
    looking = asyncio.create_task(look())
    command = [sys.executable, str(ROOT / "tests" / "tui" / "train.py"), device, str(STEPS)]
    link = await Started(command, (80, 24), heard).start()
    async for envelope in link.messages():
        if isinstance(envelope.message, WorkerLine):
            add(printed=envelope.message.text)
        if isinstance(envelope.message, Parted):
            break
    await link.close()
    sampler.close()
    await looking
    text = b"\n".join(map(msgspec.json.encode, kept)).decode()
    # No path of this machine is kept.
    for path, name in ((command[0], "python"), (command[1], "train.py")):
        text = text.replace(path, name)
    SESSION.write_text(text + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "cuda:0"))
