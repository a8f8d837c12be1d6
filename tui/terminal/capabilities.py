"""What the terminal can show, by what the environment says of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Repertoire = Literal["unicode", "console", "ascii"]
TRUE_COLOR = 2**24


class Terminal(msgspec.Struct, frozen=True):
    """Which characters it has, and how many colours.

    `console` is what the font of Linux's own console has: lines, half blocks and shades.
    """

    characters: Repertoire = "unicode"
    colors: int = TRUE_COLOR


def look(environment: Mapping[str, str], encoding: str) -> Terminal:
    """The terminal of a process with this environment, whose streams have this encoding."""
    return Terminal(_characters(environment, encoding), _colors(environment))


def cannot_place(environment: Mapping[str, str]) -> bool:
    """Whether the terminal cannot put its cursor anywhere, and so shows no screen."""
    return environment.get("TERM") in ("dumb", "unknown")


def believed(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what GNU screen hands on of the terminal around it.

    It does not know true colours itself, and takes their codes for others: blinking, for one.
    """
    inside = "STY" in environment and "TMUX" not in environment
    return {name: value for name, value in environment.items() if not inside or name != "COLORTERM"}


def _characters(environment: Mapping[str, str], encoding: str) -> Repertoire:
    if "utf8" not in _plain(encoding):
        return "ascii"
    # Python puts an LC_CTYPE of C.UTF-8 where the locale is C, so that the streams alone do not
    # tell. Whoever sets nothing at all most often sits at a terminal that knows UTF-8.
    names = ["LC_ALL", "LC_CTYPE", "LANG"]
    if environment.get("LC_CTYPE") == "C.UTF-8":
        names.remove("LC_CTYPE")
    locale = next(filter(None, map(environment.get, names)), "C.UTF-8")
    if "PYTHONIOENCODING" not in environment and "utf8" not in _plain(locale):
        return "ascii"
    return "console" if environment.get("TERM") == "linux" else "unicode"


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _colors(environment: Mapping[str, str]) -> int:
    """What Rich makes of these variables, which writes the colours out."""
    environment = believed(environment)
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return TRUE_COLOR
    return 256 if environment.get("TERM", "").endswith(("-256color", "-kitty")) else 16
