"""What the terminal can show, by the environment variables that describe it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Repertoire = Literal["unicode", "console", "ascii"]
TRUE_COLOR = 2**24


class Terminal(msgspec.Struct, frozen=True):
    """The characters that the terminal can show, and the number of its colours.

    `console` are those in the font of Linux's own console: lines, half blocks and shades.
    """

    characters: Repertoire = "unicode"
    colors: int = TRUE_COLOR


def look(environment: Mapping[str, str], encoding: str) -> Terminal:
    """The terminal of a process with this environment and streams of this encoding."""
    return Terminal(_characters(environment, encoding), _colors(environment))


def cannot_place(environment: Mapping[str, str]) -> bool:
    """Whether the terminal cannot place its cursor, and therefore shows no screen."""
    return environment.get("TERM") in ("dumb", "unknown")


def believed(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without COLORTERM where GNU screen has passed it on from outside.

    GNU screen does not know true colours, and takes their codes for others, such as blinking.
    """
    inside = "STY" in environment and "TMUX" not in environment
    return {name: value for name, value in environment.items() if not inside or name != "COLORTERM"}


def _characters(environment: Mapping[str, str], encoding: str) -> Repertoire:
    if "utf8" not in _plain(encoding):
        return "ascii"
    # Where the locale is C, Python sets LC_CTYPE to C.UTF-8: the streams' encoding alone does not
    # say what the terminal knows. Where no variable is set at all, it most often knows UTF-8.
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
    """The number of colours that Rich, which writes them, takes from these variables."""
    environment = believed(environment)
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return TRUE_COLOR
    return 256 if environment.get("TERM", "").endswith(("-256color", "-kitty")) else 16
