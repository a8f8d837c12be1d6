"""`vramtop fit`: finds the largest batch size that fits, and proves it by real steps."""

from __future__ import annotations

import msgspec
from rich.table import Table
from rich.text import Text
from vramtop.protocol.lesson.commands import FindLargest
from vramtop.protocol.lesson.messages import (
    Configured,
    Found,
    LessonOutOfMemory,
    SearchEnded,
    Timed,
    Tried,
    Trying,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer
from vramtop.tui.terminal.exits import FINE, INTERRUPTED
from vramtop.tui.terminal.output import complain, show
from vramtop.tui.words import units
from vramtop.tui.words.wording import tried
from vramtop.tui.worker.process import Worker, start_worker

from .interruption import Interruption
from .progress import progress_bar
from .results import csv_text, print_results
from .run import Run, WorkerFailed, follow
from .summary import heading, out_of_memory_line

_LISTS = ("speeds", "no_room", "unmodelled")


async def fit(settings: Settings, form: str) -> int:
    """Find the largest batch size for these settings, and print it; returns the exit code.

    Raises `CannotWrite` if the result cannot be written.
    """
    worker = await start_worker(settings, steps=0, every_step=True)
    interruption = Interruption(worker)
    run, found, code = Run(), None, FINE
    try:
        found = await _find(worker, run)
    except WorkerFailed as failure:
        complain(failure)
        code = failure.exit_code
    finally:
        await worker.close()
    if found is not None:
        _print(run, found, form)
    return INTERRUPTED if interruption.came else code


async def _find(worker: Worker, run: Run) -> Found | None:
    """Search, and show the progress; None if the worker was asked to stop."""
    found = None
    with progress_bar() as progress:
        task = progress.add_task("searching", total=None)
        async for message in follow(worker):
            run.add(message)
            match message:
                case Configured():
                    worker.send(FindLargest(1))
                case Trying():
                    progress.update(task, description=tried(message))
                case Tried() | Timed():
                    progress.update(task, description=tried(message), advance=1)
                case LessonOutOfMemory():
                    raise WorkerFailed(out_of_memory_line(message))
                case SearchEnded():
                    found = message.found
                case Answer(error=str(error)):
                    raise WorkerFailed(error, usage=True)
                case Answer() if found is not None:
                    return found
                case _:
                    pass
    return None


def _print(run: Run, found: Found, form: str) -> None:
    if form == "table":
        assert run.configured is not None
        top = f"{run.configured.data.description}\n{heading(run.configured)}\n"
        show((Text(top), _table(found), Text("\n" + "\n".join(_notes(found)))))
        return
    plain = {name: value for name, value in msgspec.to_builtins(found).items() if name != "type"}
    for speed in plain["speeds"]:
        del speed["type"]
    # CSV has no lists.
    line = {name: value for name, value in plain.items() if name not in _LISTS}
    print_results(plain, csv_text(list(line), [line]), form)


def _table(found: Found) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    share = f"{units.size(found.peak_at_max)} of {units.size(found.budget)}"
    table.add_row("largest", f"{found.max_batch_size:,}", share)
    table.add_row("recommended", f"{found.recommended_batch_size:,}", "0.8 of the largest")
    table.add_row("fast", f"{found.fast_batch_size:,}", "least within 5% of the best images/s")
    table.add_row("")
    for speed in found.speeds:
        rate = f"{speed.samples_per_second:,.0f}"
        table.add_row("", f"{speed.batch_size:,}", f"{rate:>9} images/s, measured")
    return table


def _notes(found: Found) -> list[str]:
    no_room = ", ".join(f"{size:,}" for size in found.no_room)
    proof = f"Proved by {found.trial_steps} real steps, {found.oom_trials} of them out of memory."
    return [
        *_bound(found),
        proof,
        *([f"Smaller, and yet without room: {no_room}."] if no_room else []),
    ]


def _bound(found: Found) -> list[str]:
    """What is sure to fit, what is not, and what may fit."""
    if found.peak_beyond is None:
        images = found.max_batch_size * found.accumulation
        return [f"All {images:,} training images fit: the data is the limit, not memory."]
    least = f"it takes at least {found.peak_beyond:,} B"
    if found.orders == 1:
        return [f"{found.max_batch_size + 1:,} does not fit: {least}."]
    return [
        f"{found.max_batch_size:,} fits from an empty cache in each of {found.orders} orders of "
        "allocation.",
        f"{found.max_batch_size + 1:,} does not fit in the worst of them: {least}.",
        *_perhaps(found),
    ]


def _perhaps(found: Found) -> list[str]:
    if found.unmodelled:
        keys = ", ".join(found.unmodelled)
        return [f"Larger ones may fit in another order; with {keys} that cannot be predicted."]
    if found.at_best is None:
        return []
    return [f"Up to {found.at_best:,} may fit in the best order (predicted)."]
