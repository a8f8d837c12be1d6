"""How one wants to see the monitor: what can be chosen, and what comes next."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

Theme = Literal["dark", "light", "high-contrast", "terminal"]
Layout = Literal["everything", "memory", "charts"]
THEMES: tuple[Theme, ...] = ("dark", "light", "high-contrast", "terminal")
LAYOUTS: tuple[Layout, ...] = ("everything", "memory", "charts")
RATES = (4, 2, 1, 10)  # paintings a second

_Choice = TypeVar("_Choice")


class Choices(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was chosen; without a theme, the terminal decides."""

    theme: Theme | None = None
    layout: Layout = "everything"
    refresh: int = RATES[0]


_OFFERED: dict[str, tuple[str | int, ...]] = {"theme": THEMES, "layout": LAYOUTS, "refresh": RATES}


def following(offered: tuple[_Choice, ...], here: _Choice) -> _Choice:
    """The next one; after the last, the first."""
    return offered[(offered.index(here) + 1) % len(offered)]


def checked(values: dict[str, Any]) -> tuple[Choices, str | None]:
    """Choices out of these values, and what is wrong with them, in one line.

    What is not offered is as if it had not been chosen, and what is not known is left out.
    """
    good, wrong = dict[str, Any](), list[str]()
    for name, offered in _OFFERED.items():
        if name not in values:
            continue
        value = values[name]
        # True and 1.0 are 1 for Python, but nobody is offered them.
        if any(type(value) is type(each) and value == each for each in offered):
            good[name] = value
        else:
            *first, last = sorted(map(str, offered), key=_numbers_first)
            told = msgspec.json.encode(value).decode()
            wrong.append(f"{name} is {', '.join(first)} or {last}, not {told}")
    return Choices(**good), "; ".join(wrong) or None


def _numbers_first(text: str) -> int:
    return int(text) if text.isdigit() else 0
