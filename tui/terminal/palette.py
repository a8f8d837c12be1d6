"""Colours and glyphs that can be told apart with a colour vision deficiency and without colour."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from rich.style import Style
from textual.theme import Theme
from vramtop.protocol.split import ALL_CATEGORIES, Category

GLYPHS: dict[Category, str] = dict(zip(ALL_CATEGORIES, "█▚▒░▞·?", strict=True))
EMPTY = len(ALL_CATEGORIES)  # stands for no category
_DARK_INK, _LIGHT_INK = "#12151a", "#ffffff"


class Palette(msgspec.Struct, frozen=True):
    """The colours of one theme; `fills` and `shades` are those of the categories, in order.

    A shade is the colour of a glyph drawn on its category's fill, close enough to it to stay calm.
    `holders` are the colours of those who hold a device's memory, from the driver to the cache.
    A `patterned` palette tells categories apart by their glyphs alone; the empty part of a bar is
    then a line.
    """

    fills: tuple[str, ...]
    shades: tuple[str, ...]
    background: str
    text: str
    muted: str
    faint: str
    accent: str
    on_accent: str
    good: str
    trouble: str
    track: str
    holders: tuple[str, ...]
    patterned: bool = False

    @property
    def empty(self) -> str:
        """The character in the empty part of a bar."""
        return "─" if self.patterned else " "


# After Okabe and Ito's hues. Each contrasts with its background, and any two differ in lightness,
# which eyes with a colour vision deficiency see too. They are among xterm's 256 colours, so that
# this also holds in a terminal that has no more.
DARK = Palette(
    fills=("#5fd7ff", "#d78700", "#5faf87", "#ffd75f", "#af87af", "#c6c6c6", "#af5f5f"),
    shades=("#5fd7ff", "#9a6000", "#3c7d5e", "#b99738", "#7a5a7a", "#808080", "#763f3f"),
    background="#12151a",
    text="#d8dde6",
    muted="#8a93a2",
    faint="#4a515d",
    accent="#7cc7f2",
    on_accent="#12151a",
    good="#3fc79b",
    trouble="#f0884f",
    track="#20252d",
    holders=("#4a515d", "#8a93a2", "#5a6f8c", "#b98a3a", "#7cc7f2", "#d8dde6", "#3f5f73"),
)
LIGHT = Palette(
    fills=("#005fd7", "#875f00", "#00875f", "#af8700", "#d70087", "#4e4e4e", "#5f0000"),
    shades=("#005fd7", "#c9a24d", "#5fbf9f", "#dfc164", "#f58ac8", "#a0a0a0", "#b07a7a"),
    background="#fafbfc",
    text="#1c2128",
    muted="#5d6673",
    faint="#b4bac4",
    accent="#005f94",
    on_accent="#fafbfc",
    good="#00704f",
    trouble="#b34700",
    track="#e3e6eb",
    holders=("#b4bac4", "#5d6673", "#8fa3bd", "#c79a4f", "#005f94", "#1c2128", "#a9c3d3"),
)
HIGH_CONTRAST = Palette(
    fills=("#0087ff", "#ff8700", "#5fd7af", "#ffff5f", "#ffafff", "#8a8a8a", "#af5f5f"),
    shades=("#0087ff", "#ac5700", "#2f8f6c", "#a9a92c", "#b571b5", "#454545", "#693939"),
    background="#000000",
    text="#ffffff",
    muted="#d0d4da",
    faint="#a0a6b0",
    accent="#7fdcff",
    on_accent="#000000",
    good="#5ae4a7",
    trouble="#ff9a6b",
    track="#2c2f36",
    holders=("#8a93a2", "#d0d4da", "#7f9cd0", "#fa9c1f", "#7fdcff", "#ffffff", "#5fa8b8"),
)
# The terminal's own colours, which its user has chosen to be readable. Muted text is dim and not
# bright black, which some users have as their background.
_DIM = "dim"
TERMINAL = Palette(
    fills=("bright_blue", "yellow", "green", "cyan", "magenta", "default", "red"),
    shades=("bright_blue", "yellow", "green", "cyan", "magenta", "default", "red"),
    background="default",
    text="default",
    muted=_DIM,
    faint=_DIM,
    accent="cyan",
    on_accent="black",
    good="green",
    trouble="red",
    track="default",
    holders=("default", "yellow", "magenta", "green", "bright_blue", "red", "cyan"),
    patterned=True,
)


def _theme(name: str, colors: Palette, *, surface: str, dark: bool = True) -> Theme:
    """The same colours for Textual's own parts: prompts, toasts, the command palette."""
    return Theme(
        name=name,
        primary=colors.accent,
        accent=colors.accent,
        foreground=colors.text,
        background=colors.background,
        surface=surface,
        panel=colors.track,
        error=colors.trouble,
        warning=colors.trouble,
        success=colors.good,
        dark=dark,
    )


PALETTES: dict[str, Palette] = {
    "dark": DARK,
    "light": LIGHT,
    "high-contrast": HIGH_CONTRAST,
    "terminal": TERMINAL,
}
TEXTUAL_THEMES = (
    _theme("dark", DARK, surface="#191d24"),
    _theme("light", LIGHT, surface="#f0f2f5", dark=False),
    _theme("high-contrast", HIGH_CONTRAST, surface="#000000"),
    Theme(
        "terminal",
        primary="ansi_cyan",
        accent="ansi_cyan",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        error="ansi_red",
        warning="ansi_red",
        success="ansi_green",
        ansi=True,
        variables={
            "ansi-background": "ansi_default",
            "block-cursor-foreground": "ansi_black",
            "block-cursor-background": "ansi_cyan",
            "input-selection-foreground": "ansi_black",
            "border": "ansi_cyan",
            "border-blurred": "ansi_default",
        },
    ),
)


@lru_cache(maxsize=512)
def ink(color: str, back: str | None = None, *, bold: bool = False) -> Style:
    """The style of this colour; made once and kept."""
    dim = color == _DIM
    return Style(color="default" if dim else color, bgcolor=back, bold=bold, dim=dim)


@lru_cache(maxsize=16)
def dimmed(palette: Palette) -> Palette:
    """The palette with fills close to the background, for moments that are yet to come."""
    fills = tuple(mixed(color, palette.background, 0.7) for color in palette.fills)
    return msgspec.structs.replace(palette, fills=fills)


def mixed(color: str, other: str, share: float) -> str:
    """A mix of both colours, `#rrggbb`, with a `share` (0 to 1) of the other."""
    pairs = [(int(color[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def luminance(color: str) -> float:
    """The relative luminance of `#rrggbb` as WCAG defines it, 0 to 1."""
    values = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours by WCAG, 1 to 21; text is readable from 4.5 on."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@lru_cache(maxsize=8)
def palette(theme: str, *, patterned: bool) -> Palette:
    """The palette of the theme of this name; `patterned` where colours are not enough."""
    colors = PALETTES[theme]
    return msgspec.structs.replace(colors, patterned=patterned or colors.patterned)


@lru_cache(maxsize=64)
def label(palette: Palette, index: int, *, bold: bool = False) -> Style:
    """The style of words on a category's fill: dark or light, whichever contrasts more.

    In a patterned palette the words have the colours of the empty track.
    """
    if palette.patterned:
        return ink(palette.text, palette.track, bold=bold)
    back = palette.fills[index]
    color = max(_DARK_INK, _LIGHT_INK, key=lambda ink: contrast(ink, back))
    return Style(color=color, bgcolor=back, bold=bold)


def swatch(palette: Palette, index: int) -> Style:
    """The style of a category's glyph where it names the category."""
    if palette.patterned:
        return ink(palette.fills[index], palette.track)
    return ink(palette.shades[index], palette.fills[index])


@lru_cache(maxsize=512)
def fill(palette: Palette, first: int, second: int) -> Style:
    """The style of a bar's cell with category `first` at its left and `second` at its right.

    Both are equal where one category fills the cell. Its glyph then has the colour of its paper
    unless the palette is patterned: it cannot be seen, but is there in text that is copied.
    """
    if palette.patterned:
        return ink((*palette.fills, palette.faint)[first], palette.track)
    colors = (*palette.fills, palette.track)
    if first == second == EMPTY:
        return Style(bgcolor=palette.track)
    return Style(color=colors[first], bgcolor=colors[second])
