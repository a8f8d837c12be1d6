"""The command line: `vramtop`, `vramtop --headless` and the commands, such as `vramtop gpus`.

Modules that are slow to import are imported within functions, after ctrl-C has its handler.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vramtop.tui.terminal.exits import BAD_USAGE, FAILED, FINE
from vramtop.tui.terminal.signals import leave, when_asked_to_end

if TYPE_CHECKING:
    from vramtop.protocol.lesson.settings import Settings
    from vramtop.trainer.data.sources import Source
    from vramtop.tui.worker.sweep_plan import Plan

    from .options import Options
    from .program_options import ProgramOptions


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    when_asked_to_end(leave)
    from vramtop.protocol.lesson.settings import SettingError
    from vramtop.tui.terminal import output

    from .options import parse

    output.mend()
    try:
        return _start(parse(sys.argv[1:] if arguments is None else arguments))
    except SettingError as error:
        output.complain(error)
        return BAD_USAGE
    except output.CannotWrite as error:
        output.complain(error)
        return FAILED
    except BrokenPipeError:
        return FINE  # whoever read the help has closed the pipe
    finally:
        # An alarm during Python's shutdown would replace the exit code.
        signal.setitimer(signal.ITIMER_REAL, 0)


def _start(options: Options | ProgramOptions) -> int:
    """Do what was asked for. Raises `SettingError` at bad usage."""
    from .program_options import ProgramOptions

    if isinstance(options, ProgramOptions):
        from .programs import start

        return start(options)
    if options.way == "gpus":
        return _show_gpus()
    if options.way == "gpus once":
        return _print_gpus(options.form)
    return _run(options)


def _run(options: Options) -> int:
    """Check what was asked for, then do it. Raises `SettingError` at bad usage."""
    import asyncio

    from vramtop.trainer.data import sources
    from vramtop.tui.terminal import output
    from vramtop.tui.terminal.capabilities import cannot_place
    from vramtop.tui.worker.packages import check_trainer

    if options.way != "monitor":
        output.require()
    if options.model is not None:
        from vramtop.tui.headless.formula import estimate_by_formula

        return estimate_by_formula(options.model, options.form)
    check_trainer("training" if options.way in ("monitor", "headless") else options.way)
    dataset, data_dir = options.settings.dataset, options.settings.data_dir
    source = sources.find(dataset, data_dir, download=options.download)
    runs = _settings(options, source)
    way, form = options.way, options.form
    if way == "monitor":
        _check_terminal("; without one use --headless")
        if cannot_place(os.environ):
            reason = f"TERM={os.environ['TERM']} denies it a cursor"
            missing = "no screen and no tour" if options.tour else "no screen"
            output.complain(f"{missing}, since {reason}: a line a second, at ctrl-C a table")
            way, form = "headless", "seconds"
    if way == "estimate":
        from vramtop.tui.headless.estimate import estimate

        return asyncio.run(estimate(runs, source, form))
    if way == "sweep":
        _check_sweep(options, runs, source)
    if source.kind == "download":
        if _download(source):
            return FAILED
        source = sources.find(dataset, str(source.root), download=False)
        runs = _settings(options, source)
    # Each way imports only what it needs itself.
    if way == "sweep":
        from vramtop.tui.headless.sweep import sweep

        return asyncio.run(sweep(_plan(options, runs, source), form, options.plot))
    if way == "fit":
        from vramtop.tui.headless.fit import fit

        return asyncio.run(fit(runs[0], form))
    if way == "headless":
        from vramtop.tui.headless.train import headless

        return asyncio.run(headless(runs[0], options.steps, form))
    _defer_collection()
    from vramtop.tui.app.monitor import monitor

    return monitor(runs[0], tour=options.tour)


def _show_gpus() -> int:
    _check_terminal("; without one use --once")
    _check_cursor()
    _defer_collection()
    from vramtop.tui.app.monitor import show_gpus

    return show_gpus()


def _print_gpus(form: str) -> int:
    """Print the GPUs once. It imports little: `watch` starts it every other second."""
    from vramtop.tui.terminal import output

    output.require()
    from vramtop.tui.headless.gpus_once import print_gpus

    return print_gpus("json" if form == "json" else "table")


def _defer_collection() -> None:
    """Disable the garbage collector until the first frame is drawn.

    Nothing that is imported or made until then can be freed.
    """
    gc.disable()


def _settings(options: Options, source: Source) -> list[Settings]:
    """The settings of each batch size. Raises `SettingError` where they do not suit the data."""
    import msgspec
    from vramtop.protocol.lesson.checks import check
    from vramtop.protocol.lesson.settings import MAX_ESTIMATED, parse_batch_size, parse_batch_sizes

    images = source.train_images
    if options.way == "estimate":
        # An estimate reads no images.
        images = MAX_ESTIMATED
        sizes = parse_batch_sizes(options.batch_size, images, beyond="")
    elif options.way == "sweep":
        sizes = parse_batch_sizes(options.batch_size, images)
    else:
        sizes = [parse_batch_size(options.batch_size, images)]
    common = options.settings
    if options.download:
        common = msgspec.structs.replace(common, data_dir=str(source.root))
    runs = [msgspec.structs.replace(common, batch_size=size) for size in sizes]
    for settings in runs:
        check(settings, pixels=source.pixels, images=images)
    return runs


def _check_sweep(options: Options, sizes: list[Settings], source: Source) -> None:
    """Raise `SettingError` where the sweep is impossible, before anything is fetched or run."""
    _plan(options, sizes, source)
    if options.plot is not None:
        from vramtop.tui.headless.plot import check

        check(options.plot)


def _plan(options: Options, sizes: list[Settings], source: Source) -> Plan:
    """The plan of a sweep of these sizes. Raises `SettingError` where there can be none."""
    from vramtop.tui.worker.sweep_plan import plan

    return plan(
        sizes,
        source.train_images,
        steps=options.steps,
        images=options.images,
        scale=options.scale,
        repeats=options.repeats,
    )


def _download(source: Source) -> int:
    """Fetch the data and return an exit code.

    A process of its own does it, since it imports torchvision. It draws on this terminal.
    """
    import subprocess

    from vramtop.tui.worker.launch import command

    fetch = command("vramtop.trainer.download", source.dataset, str(source.root), str(os.getpid()))
    # In a session of its own, so that ctrl-C reaches only this process, which then ends that one.
    return subprocess.run(fetch, check=False, start_new_session=True).returncode


def _check_terminal(instead: str) -> None:
    """Raise `SettingError` without a terminal; `instead` ends its line."""
    from vramtop.protocol.lesson.settings import SettingError

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise SettingError(f"the monitor needs a terminal{instead}")


def _check_cursor() -> None:
    """Raise `SettingError` where the terminal cannot place its cursor."""
    from vramtop.protocol.lesson.settings import SettingError
    from vramtop.tui.terminal.capabilities import cannot_place

    if cannot_place(os.environ):
        raise SettingError(
            "the GPUs need a terminal that can place its cursor, "
            f"which TERM={os.environ['TERM']} denies"
        )
