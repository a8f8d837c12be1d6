"""What is wrong with a GPU: heat, slowed clocks, memory errors. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec
from vramtop.protocol.gpus import Gpu

Level = Literal["plain", "warning", "error"]

MARK = "! "  # before a warning or an error, for viewers who see no colours

# The hardware slows a GPU down only to protect it from harm.
_ERRORS = ("hardware slowdown", "hardware thermal slowdown", "hardware power brake")
_CHOSEN = ("clocks set by an application", "sync boost", "display clocks")
# A GPU is hot within this many °C of the temperature at which it slows down, or shuts down.
_CLOSE, _CLOSE_TO_SHUTDOWN = 5, 10


class Sign(msgspec.Struct, frozen=True):
    """Something to know about a GPU, and how bad it is; `short` is for little room."""

    text: str
    level: Level
    short: str = ""

    @property
    def full(self) -> str:
        """The text; a warning or an error begins with the mark."""
        return self._marked(self.text)

    @property
    def brief(self) -> str:
        """The same in fewer words."""
        return self._marked(self.short or self.text)

    def _marked(self, text: str) -> str:
        return text if self.level == "plain" else f"{MARK}{text}"


def signs(gpu: Gpu) -> tuple[Sign, ...]:
    """All signs of a GPU, the worst first; none if it is well."""
    if gpu.trouble is not None:
        return ()
    found = [] if (heat := hot(gpu)) is None else [heat]
    found += [Sign(reason, _level(reason)) for reason in gpu.throttled or ()]
    if gpu.ecc_errors:
        errors = f"{gpu.ecc_errors:,} uncorrected ECC error{'s' if gpu.ecc_errors > 1 else ''}"
        found.append(Sign(errors, "error"))
    order: tuple[Level, ...] = ("error", "warning", "plain")
    return tuple(sorted(found, key=lambda sign: order.index(sign.level)))


def hot(gpu: Gpu) -> Sign | None:
    """That the GPU is as hot as it may be, or nearly; None where it is not.

    The temperatures at which it slows down and shuts down decide. If neither is known, it is hot
    when it says that heat slows its clocks.
    """
    now, slowdown, shutdown = gpu.temperature, gpu.slowdown_at, gpu.shutdown_at
    if now is None:
        return None
    if slowdown is not None:
        if now >= slowdown - _CLOSE:
            return Sign(f"{now}°C, slowdown at {slowdown}°C", _above(now, slowdown), f"{now}°C")
    elif shutdown is not None and now >= shutdown - _CLOSE_TO_SHUTDOWN:
        level = _above(now, shutdown - _CLOSE)
        return Sign(f"{now}°C, shutdown at {shutdown}°C", level, f"{now}°C")
    levels = {_level(reason) for reason in gpu.throttled or () if "thermal" in reason}
    if not levels:
        return None
    return Sign(f"{now}°C", "error" if "error" in levels else "warning")


def _above(temperature: int, limit: int) -> Level:
    return "error" if temperature >= limit else "warning"


def _level(reason: str) -> Level:
    if reason in _ERRORS:
        return "error"
    return "plain" if reason in _CHOSEN else "warning"
