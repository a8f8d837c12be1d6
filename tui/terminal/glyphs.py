"""What is drawn instead of a character that a terminal lacks, in the same width. Pure."""

from __future__ import annotations

from unicodedata import normalize

from .capabilities import Repertoire

# For characters that this program and Textual draw: one for one.
_ASCII = {
    **dict(zip("█▓▒░▚▞·", "#&%:=/.", strict=True)),  # categories and holders
    **dict(zip("▏▎▍▌▋▊▉", "||||###", strict=True)),  # where a bar ends within a cell
    **dict(zip("▁▂▃▄▅▆▇▀▔▐", "___=####-|", strict=True)),
    **dict(zip("─╌│╭╮╰╯├┤┴└╎┊╵", "--|+++++++`::|", strict=True)),
    **dict(zip("▸›▼↑↓←→✓", "*>v^v<>=", strict=True)),
    **dict(zip("×–…±≤°≈↻", "x-~~< ~@", strict=True)),
    **dict(zip("—‘’“”•", "-''\"\"*", strict=True)),  # in what other programs print
    "🔎": "> ",
}
_CONSOLE = {
    **dict(zip("▚▞", "▌▀", strict=True)),
    **dict(zip("▏▎▍▋▊▉", "││▌▌██", strict=True)),
    **dict(zip("▁▂▃▅▆▇▔", "_▄▄▄██▀", strict=True)),
    **dict(zip("╌╭╮╰╯╎┊╵", "─┌┐└┘│││", strict=True)),
}
# The characters that are both in the kernel's own font (code page 437) and in those that
# distributions load instead.
_CONSOLE_HAS = "█▀▄▌▐░▒▓─│┌┐└┘├┤┬┴┼·°±"
_BRAILLE = range(0x2800, 0x2900)
# The bits of the four rows of a braille cell, from the top.
_ROWS = (0x09, 0x12, 0x24, 0xC0)


class _Table(dict[int, str]):
    """A table for `str.translate` that finds what is drawn for a character, and remembers it."""

    def __init__(self, has: str, instead: dict[str, str]) -> None:
        super().__init__({ord(character): character for character in has})
        self.update({ord(character): other for character, other in instead.items()})

    def __missing__(self, code: int) -> str:
        self[code] = drawn = chr(code) if code < 0x80 else _nearest(code)
        return drawn


def _nearest(code: int) -> str:
    """The letter without its accent; else a question mark for each column of the character."""
    from rich.cells import cell_len

    if code in _BRAILLE:
        return _stroke(code - _BRAILLE.start)
    base = normalize("NFKD", chr(code))[:1]
    width = cell_len(chr(code))
    return base if base.isascii() and base.isprintable() and width == 1 else "?" * width


def _stroke(dots: int) -> str:
    """A piece of a curve in ASCII: high, in the middle, low, or upright where it is steep."""
    rows = [row for row, bits in enumerate(_ROWS) if dots & bits]
    if not rows:
        return " "
    if len(rows) > 2:
        return "|"
    return "'--."[rows[-1]] if rows[0] != 0 else "'"


_TABLES: dict[Repertoire, _Table] = {
    "ascii": _Table("", _ASCII),
    "console": _Table(_CONSOLE_HAS, _ASCII | {c: c for c in _CONSOLE_HAS} | _CONSOLE),
}


def drawn(text: str, characters: Repertoire) -> str:
    """The text in these characters alone, as wide as before."""
    return text if characters == "unicode" else text.translate(_TABLES[characters])


def lacking(error: UnicodeError) -> tuple[str, int]:
    """An error handler for `codecs`: writes in ASCII what a stream's encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return drawn(error.object[error.start : error.end], "ascii"), error.end
