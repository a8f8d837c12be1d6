"""Record a real session for the pictures: `python tools/session.py [DEVICE]`.

Trains on the CPU or on a GPU, under a budget: at larger and larger batch sizes up to one that may
run out of memory, then at a smaller one, and at last one phase at a time. Messages of the worker
and readings of NVML are recorded in docs/session-cpu.jsonl or docs/session-gpu.jsonl. The tests in
tests/tui/app/test_pictures.py draw the screens from them.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec.structs import replace
from vramtop.protocol.commands import Advance, Pause
from vramtop.protocol.lesson.commands import Change
from vramtop.protocol.lesson.messages import Configured, Evaluated
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Measured
from vramtop.protocol.wire.envelope import Envelope, Stamp
from vramtop.protocol.wire.recording import Recorded, Writer
from vramtop.tui.gpus.sampler import Sampler
from vramtop.tui.state.folding import fold
from vramtop.tui.state.lesson.folding import begun
from vramtop.tui.state.state import State
from vramtop.tui.worker.link import WorkerGone, WorkerLine
from vramtop.tui.worker.process import Worker, start_worker

DOCS = Path(__file__).parent.parent / "docs"
# Each with the sizes to try under it; on a GPU cuBLAS alone takes 64 MiB.
RUNS = {
    "cpu": (6 * 2**20, (128, 256, 512, 1024, 2048, 256)),
    "gpu": (100 * 2**20, (256, 1024, 2048, 4096, 1024)),
}
SECONDS = 3.0  # at each size
EPOCHS = 12  # after a change, whose evaluations are all kept
PHASES = ("load", "forward", "backward", "optimizer")


class Recorder:
    """Folds the messages of a worker and the readings of NVML, and keeps them."""

    def __init__(self, worker: Worker, settings: Settings) -> None:
        self.worker = worker
        self.state = begun(settings)
        self.kept: list[Envelope[Recorded]] = []
        self._numbers = itertools.count(1)
        self._stamp = Stamp(worker.began)
        self.sampler = Sampler()
        self._watch = asyncio.create_task(self._look())

    async def until(self, condition: Callable[[State], object]) -> None:
        """Listen until the condition holds of the state."""
        async for envelope in self.worker.messages():
            message = envelope.message
            if isinstance(message, WorkerGone):
                raise RuntimeError(f"the worker ended: {message.lines}")
            if not isinstance(message, WorkerLine):
                self.kept.append(Envelope(envelope.sender, envelope.seconds, message))
            self.state = fold(self.state, message)
            if condition(self.state):
                return

    async def sized(self, size: int) -> None:
        """Train at a batch size for a while, or see that it does not fit."""
        self.worker.send(Change(next(self._numbers), batch_size=size))
        end = asyncio.get_running_loop().time() + SECONDS
        await self.until(
            lambda state: (
                asyncio.get_running_loop().time() > end
                and state.measured is not None
                and state.measured.settled
                and any(visit.batch_size == size for visit in state.lesson.visited)
            )
        )

    async def held(self) -> None:
        """Pause, and walk to the end of the step's optimizer phase."""
        self.worker.send(Pause(next(self._numbers), paused=True))
        await self.until(lambda state: state.paused)
        for phase in PHASES:
            self.worker.send(Advance(next(self._numbers)))
            await self.until(lambda state, at=phase: state.held and state.held.phase == at)  # type: ignore[misc]

    async def close(self) -> None:
        """End the worker and the sampling."""
        self.sampler.close()
        await self._watch
        await self.worker.close()

    async def _look(self) -> None:
        async for report in self.sampler.reports():
            self.kept.append(self._stamp.envelope(report))
            self.state = fold(self.state, report)


async def main(device: str) -> None:
    """Record a session and write it."""
    name = "cpu" if device == "cpu" else "gpu"
    budget, sizes = RUNS[name]
    settings = Settings(device=device, budget=budget)
    recorder = Recorder(await start_worker(settings), settings)
    try:
        await recorder.until(lambda state: state.lesson.evaluated and state.measured)
        for size in sizes:
            await recorder.sized(size)
        await recorder.held()
    finally:
        await recorder.close()
    with Writer(DOCS / f"session-{name}.jsonl") as writer:
        for envelope in thinned(recorder.kept):
            writer.write(envelope)


def thinned(envelopes: Iterable[Envelope[Recorded]]) -> list[Envelope[Recorded]]:
    """The envelopes without repeated measurements and without most evaluations of quick epochs.

    After a change the first `EPOCHS` evaluations are kept; of later ones in a row, the last.
    """
    kept: list[Envelope[Recorded]] = []
    last: object = None
    epochs = 0
    for envelope in envelopes:
        message = envelope.message
        if isinstance(message, Configured):
            epochs = 0
        if isinstance(message, Measured):
            measured = replace(message, step=0)
            if measured == last:
                continue
            last = measured
        if isinstance(message, Evaluated):
            epochs += 1
            if epochs > EPOCHS and isinstance(kept[-1].message, Evaluated):
                kept.pop()
        kept.append(envelope)
    return kept


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "cpu"))
