"""`vramtop sweep`: each batch size from the same start, on the same images, measured."""

from __future__ import annotations

import time

import msgspec
from rich.progress import Progress
from vramtop.protocol.lesson.commands import Reset
from vramtop.protocol.lesson.messages import Configured, LessonOutOfMemory, LessonSample
from vramtop.protocol.messages import Answer
from vramtop.tui.terminal.exits import FINE, INTERRUPTED
from vramtop.tui.terminal.output import CannotWrite, complain, show
from vramtop.tui.worker.process import Worker, start_worker
from vramtop.tui.worker.sweep_plan import Plan, Trial

from .interruption import Interruption
from .loss_curve import LossCurve
from .progress import progress_bar
from .results import print_results
from .rows import Row, SweepRow, make_row, to_csv
from .run import Run, WorkerFailed, WorkerKilled, follow
from .sweep_notes import Times, compared, notes, title
from .sweep_table import tables


class Measurements:
    """The runs of each batch size that have ended, and their loss curves."""

    def __init__(self) -> None:
        self.runs: dict[int, list[Run]] = {}
        self.curves: dict[int, list[LossCurve]] = {}
        self.starting = 0.0  # seconds until the worker was ready

    def add(self, run: Run, curve: LossCurve) -> None:
        """Add a run that has ended or has run out of memory."""
        assert run.configured is not None
        size = run.configured.settings.batch_size
        self.runs.setdefault(size, []).append(run)
        self.curves.setdefault(size, []).append(curve)

    def fits(self, size: int) -> bool:
        """Whether no run of this size has run out of memory so far."""
        return not any(isinstance(run.end, LessonOutOfMemory) for run in self.runs.get(size, ()))

    def rows(self) -> list[SweepRow]:
        """One row for each size, in the order in which they were run."""
        return [make_row(runs) for runs in self.runs.values()]


async def sweep(plan: Plan, form: str, plot: str | None) -> int:
    """Run the plan, print its rows, and draw them into the file `plot`; returns the exit code.

    Raises `CannotWrite` if the rows or the picture cannot be written.
    """
    began = time.monotonic()
    measured, left, code, interrupted = Measurements(), list(plan.trials), FINE, False
    with progress_bar() as bar:
        progress = SweepProgress(bar, len(left))
        while left and not interrupted and code == FINE:
            first = left[0]
            worker = await start_worker(
                first.settings,
                steps=first.steps,
                images=first.images,
                evaluate=True,
                every_step=True,
            )
            interruption = Interruption(worker)
            try:
                await _measure(worker, left, measured, progress)
            except WorkerKilled as failure:
                complain(failure)  # and go on with the sizes that are left, in another worker
            except WorkerFailed as failure:
                complain(failure)
                code = failure.exit_code
            finally:
                await worker.close()
            interrupted = interruption.came
    if measured.runs:
        _print(plan, measured, form, time.monotonic() - began)
        if plot is not None:
            _draw(plan, measured, plot)
    return INTERRUPTED if interrupted else code


async def _measure(
    worker: Worker, left: list[Trial], measured: Measurements, progress: SweepProgress
) -> None:
    """Run the trials in `left` one after another, and remove each that has ended.

    Trials of a size that has run out of memory are skipped. Returns early if the worker is asked to
    stop. If the worker is killed, its trial counts as out of memory; then raises `WorkerKilled`.
    """
    trial, run, curve, began = left[0], Run(), _curve(left[0]), time.monotonic()
    latest: Configured | None = None
    try:
        async for message in follow(worker):
            run.add(message)
            match message:
                case Answer(error=str(error)):
                    raise WorkerFailed(error, usage=True)
                case Configured():
                    if latest is None:  # the worker's start is not part of the run
                        measured.starting += time.monotonic() - began
                        began = time.monotonic()
                    latest = message
                case LessonSample():
                    curve.add(message)
            progress.at(trial, run, len(left))
            if run.end is None or worker.stopping:
                continue
            run.seconds = time.monotonic() - began
            measured.add(run, curve)
            _remove_ended(left, measured)
            if not left:
                return
            trial, run, curve, began = left[0], Run(), _curve(left[0]), time.monotonic()
            worker.send(Reset(len(left), trial.settings, trial.steps, trial.images, evaluate=True))
    except WorkerKilled as killed:
        if latest is not None:
            run.configured = msgspec.structs.replace(latest, settings=trial.settings)
            run.kill(trial.settings, str(killed))
            run.seconds = time.monotonic() - began
            measured.add(run, curve)
            _remove_ended(left, measured)
            raise
        # It was killed before its first trial: it cannot start, whatever the size.
        raise WorkerFailed(str(killed)) from None


def _remove_ended(left: list[Trial], measured: Measurements) -> None:
    """Remove the first trial, and those after it whose size has run out of memory."""
    left.pop(0)
    while left and not measured.fits(left[0].settings.batch_size):
        left.pop(0)


class SweepProgress:
    """Shows on a terminal how far the sweep is."""

    def __init__(self, bar: Progress, trials: int) -> None:
        self._bar, self._trials = bar, trials
        self._task = bar.add_task("starting", total=trials)

    def at(self, trial: Trial, run: Run, left: int) -> None:
        """Show the progress of `run`; `left` trials are left, this one included."""
        stage = f"batch {trial.settings.batch_size:,}" if run.configured else "starting"
        done = self._trials - left + _share(trial, run)
        self._bar.update(self._task, description=stage, completed=done)


def _curve(trial: Trial) -> LossCurve:
    steps = trial.steps or 0
    return LossCurve(trial.images or steps * trial.settings.effective_batch)


def _share(trial: Trial, run: Run) -> float:
    """How far a run has come, from 0 to 1."""
    if run.end is not None or run.sample is None:
        return float(run.end is not None)
    if trial.images is not None:
        return run.sample.images / trial.images
    return run.sample.step / trial.steps if trial.steps else 0.0


def _print(plan: Plan, measured: Measurements, form: str, seconds: float) -> None:
    rows = measured.rows()
    if form == "table":
        runs = [run for each in measured.runs.values() for run in each]
        times = Times(seconds, measured.starting, sum(run.seconds or 0 for run in runs))
        show(*tables(title(plan, runs[0]), rows, *notes(plan, runs, rows, times)))
    else:
        print_results(rows, to_csv(Row, rows), form)


def _draw(plan: Plan, measured: Measurements, file: str) -> None:
    """Draw the picture. matplotlib is imported only here, after everything else."""
    from . import plot as picture

    run = next(iter(measured.runs.values()))[0]
    assert run.configured is not None
    learned = compared(plan, run.configured.data.train_images)
    curves = {size: [each.points for each in some] for size, some in measured.curves.items()}
    try:
        picture.write(file, title(plan, run), measured.rows(), curves, learned)
    except OSError as error:
        raise CannotWrite(f"cannot write {file}: {error.strerror}") from None
