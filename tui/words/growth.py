"""What grows from step to step, in words."""

from __future__ import annotations

from collections.abc import Iterable

from vramtop.protocol.observed.report import Growth, Held

from . import units
from .wording import NAMES

_MOST = 3  # lines or holders that are named


def grows(growth: Growth) -> str:
    """What grows, by how much, and what that leads to."""
    what = "memory" if growth.category is None else NAMES[growth.category]
    text = (
        f"{what} grows by {_a_step(growth)} a step, from "
        f"{units.size(growth.before)} after step {growth.since:,} to "
        f"{units.size(growth.bytes)} after step {growth.until:,}"
    )
    if growth.steps_left is None:
        return text
    return f"{text}; the device is full in {growth.steps_left:,} steps at most"


def whose(growth: Growth) -> str:
    """The lines that make it and who holds it; empty where neither is known."""
    lines = _first(each.line for each in growth.kept if each.line)
    holders = _first(_group(each) for each in growth.held)
    parts = [f"made at {lines}"] if lines else []
    parts += [f"held by {holders}"] if holders else []
    return ", ".join(parts)


def _a_step(growth: Growth) -> str:
    each = growth.bytes_a_step
    return units.size(round(each)) if each >= 1 else f"{each:.2f} B"


def _group(held: Held) -> str:
    count = f"{held.count:,} blocks of " if held.count > 1 else ""
    return f"{held.what} ({count}{units.size(held.bytes)})"


def _first(texts: Iterable[str]) -> str:
    """The first of them, each once."""
    each = list(dict.fromkeys(texts))
    more = f" and {len(each) - _MOST:,} more" if len(each) > _MOST else ""
    return ", ".join(each[:_MOST]) + more
