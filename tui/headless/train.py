"""`vramtop --headless`: trains without a screen; prints lines of JSON, or a table at the end."""

from __future__ import annotations

import time

from vramtop.protocol.lesson.messages import LessonSample
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.wire.framing import to_json
from vramtop.tui.terminal.exits import FAILED, FINE, INTERRUPTED
from vramtop.tui.terminal.output import complain, show, write
from vramtop.tui.worker.process import Worker, start_worker

from . import seconds
from .interruption import Interruption
from .progress import progress_bar
from .run import Run, WorkerFailed, follow
from .summary import out_of_memory_line, summaries


async def headless(settings: Settings, steps: int | None, form: str) -> int:
    """Train for `steps`, or until interrupted; returns the exit code.

    `form` is `jsonl`, `table`, or `seconds`: a line a second and then the table.
    Raises `CannotWrite` if the results cannot be written.
    """
    worker = await start_worker(settings, steps=steps, every_step=True)
    interruption = Interruption(worker)
    run, code = Run(), FINE
    try:
        if form == "jsonl":
            await _print_messages(worker, run)
        elif form == "seconds":
            await _print_seconds(worker, run)
        else:
            await _train(worker, run, steps)
    except WorkerFailed as failure:
        complain(failure)
        code = failure.exit_code
    except BrokenPipeError:
        pass  # the reader has seen enough
    finally:
        await worker.close()
    if run.out_of_memory is not None:
        complain(out_of_memory_line(run.out_of_memory, run.would_fit))
        code = FAILED
    # However the run has ended, print what was measured.
    if form != "jsonl" and run.measured is not None:
        show(*summaries(run))
    return INTERRUPTED if interruption.came else code


async def _print_messages(worker: Worker, run: Run) -> None:
    """Print each message as a line of JSON, up to the one that ends the run."""
    async for message in follow(worker):
        run.add(message)
        write(f"{to_json(message)}\n")
        if run.end is not None:
            return


async def _print_seconds(worker: Worker, run: Run) -> None:
    """Print a line a second, from the first measured step on."""
    write(f"{seconds.head()}\n")
    latest = -1.0
    async for message in follow(worker):
        run.add(message)
        now = time.monotonic()
        if isinstance(message, LessonSample) and run.measured is not None and now >= latest + 1:
            write(f"{seconds.line(message, run.measured)}\n")
            latest = now
        if run.end is not None:
            return


async def _train(worker: Worker, run: Run, steps: int | None) -> None:
    """Follow the run, and show its progress."""
    with progress_bar() as progress:
        task = progress.add_task("training", total=steps)
        async for message in follow(worker):
            run.add(message)
            if isinstance(message, LessonSample):
                progress.update(task, completed=message.step)
            if run.end is not None:
                return
