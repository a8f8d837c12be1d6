"""Where memory comes from: the line that allocated it, and the module that was running."""

from __future__ import annotations

from vramtop.protocol.observed.record import WatchedStep


def line_of(step: WatchedStep, number: int) -> str:
    """The line of this number, empty for -1."""
    return step.lines[number] if number >= 0 else ""


def module_of(step: WatchedStep, number: int) -> str:
    """The path of the module of this number, empty for -1."""
    return step.modules[number].path if number >= 0 else ""
