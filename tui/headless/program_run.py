"""`vramtop run --headless`: a program with the caller's own streams, signals and exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from vramtop.tui.programs.launch import (
    Callers,
    CannotStart,
    callers,
    exit_code,
    signals_passed_on,
    start,
    why_not,
)
from vramtop.tui.programs.programs import Program, follow
from vramtop.tui.programs.viewer import CannotView
from vramtop.tui.terminal.output import complain

from .program_output import ProgramOutput

_LAST_SECONDS = 2.0  # for the last words of programs, once the command has ended


async def run(command: Sequence[str], output: ProgramOutput) -> int:
    """Run a command to its end and write what was watched of it; returns its exit code."""
    reason = why_not(command)
    if reason is not None:
        complain(reason)
    called = await _callers()
    try:
        process = await start(command, called.path if called else None)
    except CannotStart as error:
        if called:
            called.close()
        complain(error)
        return error.exit_code
    programs = _Programs(output)
    taking = asyncio.create_task(programs.take(called)) if called else None
    with signals_passed_on(process):
        code = exit_code(await process.wait())
        await programs.end()
        if called and taking:
            taking.cancel()
            called.close()
        output.end()
    for line in programs.missing() if called and reason is None else ():
        complain(line)
    return code


async def _callers() -> Callers | None:
    """What observed programs call; None where there can be nothing like it."""
    try:
        return await callers()
    except CannotStart as error:
        complain(f"nothing is watched: {error}")
        return None


class _Programs:
    """The programs that have called, and what they have said."""

    def __init__(self, output: ProgramOutput) -> None:
        self.known: list[Program] = []
        self._output = output
        self._following: set[asyncio.Task[None]] = set()
        self._refused = ""

    async def take(self, called: Callers) -> None:
        """Follow each that calls."""
        while True:
            try:
                viewer = await called.next()
            except CannotView as error:
                self._refused = str(error)
                continue
            program = Program(viewer.observed)
            self.known.append(program)
            self._following.add(
                asyncio.create_task(follow(viewer, program, self._output.heard))
            )  # fmt: skip

    async def end(self) -> None:
        """Hear the last words, and leave those that go on."""
        if self._following:
            _, left = await asyncio.wait(self._following, timeout=_LAST_SECONDS)
            for each in left:
                each.cancel()

    def missing(self) -> Iterator[str]:
        """Why nothing was watched, a line for each program of which that is so."""
        if self._refused:
            yield self._refused
        elif not self.known:
            yield (
                "nothing to show: no process of the command worked with PyTorch, or it had another "
                "environment (env -i, sudo, python -I); vramtop attach works then"
            )
        nothing = not any(program.latest for program in self.known)
        for program in self.known:
            if nothing:
                yield program.why_nothing
            elif program.removed:
                yield f"{program.name} was not watched any longer: {program.trouble}"
