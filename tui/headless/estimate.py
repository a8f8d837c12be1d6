"""`vramtop estimate`: the memory of a step at each batch size, predicted; nothing is run."""

from __future__ import annotations

from collections.abc import Sequence

from vramtop.protocol.lesson.commands import Predict
from vramtop.protocol.lesson.messages import Predicted
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Hello
from vramtop.trainer.data.sources import Source
from vramtop.tui.terminal.exits import FINE, INTERRUPTED
from vramtop.tui.terminal.output import complain, show
from vramtop.tui.words import units, wording
from vramtop.tui.worker.process import start_worker

from .interruption import Interruption
from .results import print_results
from .rows import AnyRow, Estimate, make_estimate, to_csv
from .run import WorkerFailed, follow
from .sweep_table import tables


async def estimate(sizes: Sequence[Settings], source: Source, form: str) -> int:
    """Predict a step of each of these settings on images of `source`, and print the rows.

    Returns the exit code. Raises `CannotWrite` if the rows cannot be written.
    """
    worker = await start_worker(sizes[0], train=False)
    interruption = Interruption(worker)
    rows: list[AnyRow] = []
    device, code, unmodelled = "", FINE, tuple[str, ...]()
    try:
        for number, settings in enumerate(sizes):
            worker.send(Predict(number, settings))
        async for message in follow(worker):
            if isinstance(message, Hello):
                device = message.device.description
            if isinstance(message, Predicted):
                rows.append(make_estimate(message, source))
                unmodelled = message.unmodelled
            if len(rows) == len(sizes):
                break
    except WorkerFailed as failure:
        complain(failure)
        code = failure.exit_code
    finally:
        await worker.close()
    if rows:
        notes = [f"{wording.unmodelled(unmodelled)} of the allocator"] if unmodelled else []
        _print(_title(sizes[0], source, device), rows, form, notes)
    return INTERRUPTED if interruption.came else code


def _title(settings: Settings, source: Source, device: str) -> str:
    return (
        f"{source.dataset} · {settings.optimizer} · hidden {settings.hidden:,} · {device}"
        f"{wording.added(settings)}\n"
        "predicted, nothing was run"
    )


def _print(title: str, rows: Sequence[AnyRow], form: str, notes: Sequence[str]) -> None:
    if form == "table":
        pools = [_allocator(row) for row in rows if isinstance(row, Estimate) and row.allocator]
        show(*tables(title, rows, *pools, *notes))
    else:
        print_results(rows, to_csv(Estimate, rows), form)


def _allocator(row: Estimate) -> str:
    """A line on what the caching allocator of a CUDA device would hold."""
    memory = row.allocator
    assert memory is not None
    assert memory.allocated_peak is not None
    assert memory.workspace is not None
    return (
        f"batch {row.batch_size:,}: {units.size(memory.allocated_peak)} allocated at most, "
        f"{units.size(memory.workspace)} of it cuBLAS's workspaces, "
        f"{units.size(memory.reserved)} reserved (to within a segment)"
    )
