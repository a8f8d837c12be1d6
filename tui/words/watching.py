"""What watching a program takes of its time."""

from __future__ import annotations

from vramtop.tui.words import units

_SHORT_SECONDS = 60.0  # below that a share says little
_WIDTH = len("0.31 of 12 s")


def took(spent: float, of: float) -> str:
    """What watching took of a program's time, in seconds: those in a short time, else the share."""
    if of < _SHORT_SECONDS:
        return f"watching took {spent:.2f} s of {of:.2f} s"
    share = spent / of
    percent = f"{share:.1%}" if share >= 0.0995 else f"{share:.2%}"
    return f"watching took {percent} of the time"


def costs(spent: float, of: float) -> str:
    """The same in a field that stays as wide: `0.31 s of 12 s`, later `0.3 %`."""
    if of < _SHORT_SECONDS:
        return f"{spent:.2f} of {of:.0f} s".rjust(_WIDTH)
    return units.percent(spent / of).rjust(_WIDTH)
