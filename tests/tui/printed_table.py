"""The table of programs as a terminal shows it."""

from __future__ import annotations

import io

from vramtop.protocol.observed.program import ProgramReport
from vramtop.tui.headless.program_table import page
from vramtop.tui.terminal.output import drawn


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(*reports: ProgramReport) -> list[str]:
    """The lines of the table, without the blanks at their ends."""
    return [line.rstrip() for line in drawn(_Terminal(), page(reports)).splitlines()]
