"""`vramtop sweep`: each batch size from the same start, on the same images, measured."""

from __future__ import annotations

import contextlib
import time

import msgspec
from rich.progress import Progress as RichProgress
from vramtop.protocol.lesson.commands import Reset
from vramtop.protocol.lesson.messages import Configured, LessonOutOfMemory, LessonSample
from vramtop.protocol.messages import Answer
from vramtop.tui.terminal.exits import FINE, INTERRUPTED
from vramtop.tui.terminal.output import CannotWrite, complain, show, write
from vramtop.tui.worker.process import Worker, start_worker
from vramtop.tui.worker.sweep_plan import Plan, Trial

from .interruption import Interruption
from .learning import LossCurve
from .progress import progress_bar
from .rows import OutOfMemoryRow, Row, make_row, to_csv
from .run import Run, WorkerFailed, WorkerKilled, follow
from .sweep_notes import Times, compared, notes, title
from .sweep_table import tables


class Measurements:
    """The runs of each batch size that have ended so far, and how the loss fell in them."""

    def __init__(self) -> None:
        self.runs: dict[int, list[Run]] = {}
        self.curves: dict[int, list[LossCurve]] = {}
        self.starting = 0.0  # seconds until the worker was ready

    def add(self, run: Run, curve: LossCurve) -> None:
        """Take in a run that has ended or run out of memory."""
        assert run.configured is not None
        size = run.configured.settings.batch_size
        self.runs.setdefault(size, []).append(run)
        self.curves.setdefault(size, []).append(curve)

    def fits(self, size: int) -> bool:
        """Whether this size has not run out of memory so far."""
        return not any(isinstance(run.end, LessonOutOfMemory) for run in self.runs.get(size, ()))

    def rows(self) -> list[Row | OutOfMemoryRow]:
        """A row a size, in the order in which they were given."""
        return [make_row(runs) for runs in self.runs.values()]


async def sweep(plan: Plan, form: str, plot: str | None) -> int:
    """Run the plan, print its rows, draw them into the file `plot`; returns the exit code.

    Raises `CannotWrite` where the rows or the picture cannot be written.
    """
    began = time.monotonic()
    measured, left, code, interrupted = Measurements(), list(plan.trials), FINE, False
    with progress_bar() as bar:
        progress = Progress(bar, len(left))
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
    worker: Worker, left: list[Trial], measured: Measurements, progress: Progress
) -> None:
    """Run the trials that are left one after the other, and take away each that has ended.

    Those of sizes that ran out of memory before are passed over. Stops early where the worker was
    told to. Raises `WorkerKilled` once the trial that it was killed in has been noted.
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
                    if latest is None:  # the worker's own start is none of the run's
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
            _take_away(left, measured)
            if not left:
                return
            trial, run, curve, began = left[0], Run(), _curve(left[0]), time.monotonic()
            worker.send(Reset(len(left), trial.settings, trial.steps, trial.images, evaluate=True))
    except WorkerKilled as killed:
        if latest is not None:  # else its start was too much, whatever the size
            run.configured = msgspec.structs.replace(latest, settings=trial.settings)
            run.kill(trial.settings, str(killed))
            run.seconds = time.monotonic() - began
            measured.add(run, curve)
            _take_away(left, measured)
            raise
        raise WorkerFailed(str(killed)) from None


def _take_away(left: list[Trial], measured: Measurements) -> None:
    """The trial that has ended, and those after it whose size has run out of memory."""
    left.pop(0)
    while left and not measured.fits(left[0].settings.batch_size):
        left.pop(0)


class Progress:
    """How far the sweep has come, to be seen on a terminal."""

    def __init__(self, bar: RichProgress, trials: int) -> None:
        self._bar, self._trials = bar, trials
        self._task = bar.add_task("starting", total=trials)

    def at(self, trial: Trial, run: Run, left: int) -> None:
        """So many trials are left with this one, which has come to where `run` is."""
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
        return
    as_json = form == "json"
    text = f"{msgspec.json.format(msgspec.json.encode(rows)).decode()}\n" if as_json else ""
    with contextlib.suppress(BrokenPipeError):
        write(text or to_csv(Row, rows))


def _draw(plan: Plan, measured: Measurements, file: str) -> None:
    """The picture of it; matplotlib is imported only here, when all else is done."""
    from . import plot as picture

    run = next(iter(measured.runs.values()))[0]
    assert run.configured is not None
    learned = compared(plan, run.configured.data.train_images)
    curves = {size: [each.points for each in some] for size, some in measured.curves.items()}
    try:
        picture.write(file, title(plan, run), measured.rows(), curves, learned)
    except OSError as error:
        raise CannotWrite(f"cannot write {file}: {error.strerror}") from None
