"""The style in which a terminal writes, and the shortest sequence that changes it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import msgspec

_RESET = "\x1b[0m"
_EXTENDED = {"2": 5, "5": 3}  # how many parameters a colour has by its second one


class Pen:
    """Follows the style; styles are the parameters that set them from none: `1;38;2;0;0;0`."""

    def __init__(self) -> None:
        self._style = ""

    def change(self, style: str) -> str:
        """What sets this style."""
        before, self._style = self._style, style
        return _change(before, style)

    def put_down(self) -> str:
        """What sets no style; nothing where none is set."""
        return self.change("")


class _Look(msgspec.Struct, frozen=True):
    """The attributes of a style, and the parameters of its colours; empty for the terminal's."""

    attributes: frozenset[str]
    ink: str = ""
    paper: str = ""


@lru_cache(4096)
def _change(before: str, after: str) -> str:
    if before == after:
        return ""
    if not after:
        return _RESET
    old, new = _look(before), _look(after)
    anew = f"\x1b[0;{after}m"
    if not old.attributes <= new.attributes:
        return anew  # what ends an attribute ends others too
    parts = sorted(new.attributes - old.attributes)
    parts += [new.ink or "39"] if new.ink != old.ink else []
    parts += [new.paper or "49"] if new.paper != old.paper else []
    return min(f"\x1b[{';'.join(parts)}m" if parts else "", anew, key=len)


@lru_cache(4096)
def _look(style: str) -> _Look:
    attributes, ink, paper = set[str](), "", ""
    for part in _parts(style):
        first = int(part.partition(";")[0])
        if first in range(30, 39) or first in range(90, 98):
            ink = part
        elif first in range(40, 49) or first in range(100, 108):
            paper = part
        else:
            attributes.add(part)
    return _Look(frozenset(attributes), ink, paper)


def _parts(style: str) -> Iterator[str]:
    """The parameters, those of one colour together."""
    numbers = style.split(";") if style else []
    while numbers:
        extended = numbers[0] in ("38", "48") and len(numbers) > 1
        count = _EXTENDED.get(numbers[1], 1) if extended else 1
        yield ";".join(numbers[:count])
        del numbers[:count]
