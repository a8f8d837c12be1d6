"""`vramtop run` and `vramtop attach`, with a screen or without one, and `vramtop diff`."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Literal

from vramtop.tui.terminal.capabilities import cannot_place
from vramtop.tui.terminal.output import require, say

from .program_options import ProgramOptions


def start(options: ProgramOptions) -> int:
    """Do what was asked for; returns the exit code. Raises `CannotWrite` and `SettingError`."""
    if options.way == "list":
        require()
        from vramtop.tui.headless.program_list import list_programs

        return list_programs("json" if options.form == "json" else "table")
    if options.files is not None:
        require()
        from vramtop.tui.headless.diff import diff

        form: Literal["table", "json"] = "json" if options.form == "json" else "table"
        return diff(*options.files, form, options.fail_above)
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not cannot_place(os.environ)
    if options.headless or options.steps is not None or not terminal:
        return without_screen(options)
    return show(options)


def show(options: ProgramOptions) -> int:
    """Show the program on the screen; at its end print what it printed last, and the results."""
    import gc
    import shutil

    gc.disable()  # until the first frame is drawn
    from vramtop.tui.app.monitor import show_program
    from vramtop.tui.headless.program_output import ProgramOutput
    from vramtop.tui.programs.link import Attached
    from vramtop.tui.programs.started import Started

    form = options.form if options.output is not None else None
    output = ProgramOutput(form, options.output, aside=options.way == "run")
    if options.way == "run":
        started = Started(options.words, shutil.get_terminal_size(), output.heard)
        code = show_program(started)
        for line in started.lines:
            say(line)
        output.end()
        return code
    assert options.pid is not None
    attached = Attached(options.pid, output.heard)
    code = show_program(attached)
    output.end()
    return code


def without_screen(options: ProgramOptions) -> int:
    """Print what was watched, at the end or meanwhile."""
    from vramtop.tui.headless.program_output import ProgramOutput

    form, file = options.form, options.output
    if options.way == "run":
        from vramtop.tui.headless.program_run import run

        aside = file is None or form != "table"
        output = ProgramOutput(form if file is not None else None, file, aside=aside)
        return asyncio.run(run(options.words, output))
    from vramtop.tui.headless.program_attach import attach

    if file is None:
        require()
    assert options.pid is not None
    output = ProgramOutput(form, file, aside=file is not None and form != "table")
    status = file is not None or form != "jsonl"
    return asyncio.run(attach(options.pid, options.steps, output, status=status))
