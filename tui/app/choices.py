"""What can be chosen about the monitor's look: theme, layout and refresh rate."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

Theme = Literal["dark", "light", "high-contrast", "terminal"]
Layout = Literal["everything", "memory", "charts"]
THEMES: tuple[Theme, ...] = ("dark", "light", "high-contrast", "terminal")
LAYOUTS: tuple[Layout, ...] = ("everything", "memory", "charts")
RATES = (2, 4, 10, 1)  # refreshes a second

_Choice = TypeVar("_Choice")


class Choices(msgspec.Struct, frozen=True, omit_defaults=True):
    """The choices made; where no theme is chosen, it goes by the terminal's colours."""

    theme: Theme | None = None
    layout: Layout = "everything"
    refresh: int = RATES[0]


_OFFERED: dict[str, tuple[str | int, ...]] = {"theme": THEMES, "layout": LAYOUTS, "refresh": RATES}


def following(offered: tuple[_Choice, ...], here: _Choice) -> _Choice:
    """The next of what is offered; after the last, the first."""
    return offered[(offered.index(here) + 1) % len(offered)]


def checked(values: dict[str, Any]) -> tuple[Choices, str | None]:
    """The choices in these values, and in one line what is wrong with the values, if anything.

    A value that is not offered counts as not chosen; unknown names are ignored.
    """
    good, wrong = dict[str, Any](), list[str]()
    for name, offered in _OFFERED.items():
        if name not in values:
            continue
        value = values[name]
        # True and 1.0 equal 1 in Python, but are not what is offered.
        if any(type(value) is type(each) and value == each for each in offered):
            good[name] = value
        else:
            *first, last = sorted(map(str, offered), key=_numbers_first)
            given = msgspec.json.encode(value).decode()
            wrong.append(f"{name} is {', '.join(first)} or {last}, not {given}")
    return Choices(**good), "; ".join(wrong) or None


def _numbers_first(text: str) -> int:
    return int(text) if text.isdigit() else 0
