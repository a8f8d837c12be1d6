"""Record a real session for the pictures: `python tools/session.py`.

Trains on the CPU under a budget, at larger and larger batch sizes until one is out of memory, goes
back to a small one, and at last one phase at a time. All that the worker says goes to
docs/session.jsonl, a message a line; `tools/pictures.py` makes pictures of it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import msgspec
from vramtop.trainer.protocol import Advance, Change, FromWorker, Measured, Pause, to_json
from vramtop.trainer.settings import Settings
from vramtop.tui.link import WorkerGone, WorkerLine
from vramtop.tui.state import State, fold
from vramtop.tui.worker import Worker, start_worker

SESSION = Path(__file__).parent.parent / "docs" / "session.jsonl"
SETTINGS = Settings(device="cpu", budget=6 * 2**20)
SIZES = (128, 256, 512, 1024, 2048, 256)
SECONDS = 3.0  # at each size
PHASES = ("load", "forward", "backward", "optimizer")


class Recorder:
    """Folds what a worker says, and keeps it."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.state = State(SETTINGS)
        self.kept: list[FromWorker] = []
        self._numbers = itertools.count(1)

    async def until(self, condition: Callable[[State], object]) -> None:
        """Listen until the condition holds of the state."""
        async for message in self.worker.messages():
            if isinstance(message, WorkerGone):
                raise RuntimeError(f"the worker ended: {message.lines}")
            if not isinstance(message, WorkerLine):
                self.kept.append(message)
            self.state = fold(self.state, message)
            if condition(self.state):
                return

    async def sized(self, size: int) -> None:
        """Go to a batch size and train there for a while, or see that it does not fit."""
        self.worker.send(Change(next(self._numbers), batch_size=size))
        end = asyncio.get_running_loop().time() + SECONDS
        await self.until(
            lambda state: (
                asyncio.get_running_loop().time() > end
                and state.measured is not None
                and state.measured.settled
                and any(visit.batch_size == size for visit in state.visited)
            )
        )

    async def held(self) -> None:
        """Pause, and go on to the end of the step's optimizer phase."""
        self.worker.send(Pause(next(self._numbers), paused=True))
        await self.until(lambda state: state.paused)
        for phase in PHASES:
            self.worker.send(Advance(next(self._numbers)))
            await self.until(lambda state, at=phase: state.held and state.held.phase == at)  # type: ignore[misc]


async def main() -> None:
    """Record, and write what was said."""
    recorder = Recorder(await start_worker(SETTINGS))
    try:
        await recorder.until(lambda state: state.evaluated and state.measured)
        for size in SIZES:
            await recorder.sized(size)
        await recorder.held()
    finally:
        await recorder.worker.close()
    lines = [to_json(message) for message in thinned(recorder.kept)]
    SESSION.write_text("\n".join(lines) + "\n")


def thinned(messages: list[FromWorker]) -> list[FromWorker]:
    """Without the measurements that say again what the one before them said."""
    kept: list[FromWorker] = []
    last: object = None
    for message in messages:
        if isinstance(message, Measured):
            told = msgspec.structs.replace(message, step=0)
            if told == last:
                continue
            last = told
        kept.append(message)
    return kept


if __name__ == "__main__":
    asyncio.run(main())
