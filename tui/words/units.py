"""Numbers as text, of a width that stays the same while they change."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
NOTHING = "–"
MISSING = "N/A"  # for a reading that a device does not give


def size(number: int) -> str:
    """Bytes in a unit by their size: `397.5 KiB`, `2.14 MiB`, `16 B`; at most ten characters."""
    value, unit = float(number), 0
    # A value that would be rounded to 1024 belongs to the next unit.
    while value >= (1024 if unit == 0 else 1023.95) and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    if unit == 0:
        return f"{number} B"
    return f"{value:.2f} {_UNITS[unit]}" if value < 9.995 else f"{value:.1f} {_UNITS[unit]}"


def at_least(needed: int, limit: int) -> str:
    """Bytes needed and bytes available, exact where both would be rounded to the same text."""
    texts = [size(needed), size(limit)]
    if texts[0] == texts[1]:
        texts = [f"{needed:,} B", f"{limit:,} B"]
    return f"at least {texts[0]} of {texts[1]}"


def short(number: int) -> str:
    """Bytes in few characters: `510M`, `1.05G`, `0`; at most five."""
    value, unit = float(number), 0
    while value >= (1024 if unit == 0 else 999.5) and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    letter = _UNITS[unit][0] if unit else ""
    if unit == 0 or value >= 99.95:
        return f"{value:.0f}{letter}"
    return f"{value:.1f}{letter}" if value >= 9.995 else f"{value:.2f}{letter}"


def typed_size(number: int) -> str:
    """Bytes as they are typed, exact: `24MiB`, `1000`."""
    power = 0
    while number and number % 1024 == 0 and power < 4:
        number, power = number // 1024, power + 1
    return f"{number}{_UNITS[power] if power else ''}"


def difference(number: int) -> str:
    """Bytes more (or fewer) than expected, exact: `+5,128 B`."""
    return f"{number:+,} B"


def change(number: int) -> str:
    """Bytes more or fewer, in a unit by their size: `+392.0 KiB`, `−4 B`."""
    return f"{'+' if number > 0 else '−'}{size(abs(number))}"


class Column(msgspec.Struct, frozen=True):
    """The unit for all sizes of a column."""

    unit: str
    divisor: int

    def text(self, number: int | None) -> str:
        """A size in the column, without its unit; at most eight characters."""
        if number is None:
            return NOTHING
        return f"{number / self.divisor:,.1f}" if self.divisor > 1 else f"{number:,}"


def column(numbers: Iterable[int]) -> Column:
    """The smallest unit in which all these have at most five digits before the point."""
    largest, power = max(numbers, default=0), 0
    while largest / 1024**power >= 99_999.95 and power < len(_UNITS) - 1:
        power += 1
    return Column(_UNITS[power], 1024**power)


def number(value: float | None) -> str:
    """A device's reading as a whole number, or `N/A`."""
    return MISSING if value is None else f"{value:.0f}"


def share(part: int, whole: int) -> str:
    """`18%`; at most four characters."""
    if whole <= 0:
        return NOTHING
    return "<1%" if 0 < 200 * part < whole else f"{100 * part / whole:.0f}%"


def percent(share: float) -> str:
    """A small share, `0.3 %`; always five characters."""
    return f"{100 * share:>3.1f} %" if share < 0.0995 else f"{100 * share:>3.0f} %"


def seconds(value: float | None) -> str:
    """`0.62 ms`, `12.3 ms`, `1.20 s`; at most eight characters."""
    if value is None:
        return NOTHING
    if value >= 0.9995:
        return f"{value:.2f} s" if value < 99.995 else f"{value:.0f} s"
    thousandths = value * 1000
    return f"{thousandths:.2f} ms" if thousandths < 9.995 else f"{thousandths:.1f} ms"


def duration(seconds: int) -> str:
    """For how long something runs, `3:12:04`, `12d 03h`; at most eight characters."""
    hours, rest = divmod(seconds, 3600)
    if hours < 100:
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours:02}h" if days < 1000 else f"{days}d"


def rate(value: float | None) -> str:
    """A number a second, rounded to three digits: `103,000`."""
    if value is None:
        return NOTHING
    digits = len(str(int(value)))
    return f"{round(value, min(0, 3 - digits)):,.0f}"


def pace(value: float | None) -> str:
    """Something a second that may be slow: three digits that count, `0.52`, `12.3`, `1,230`."""
    return rate(value) if value is None or value >= 100 else f"{value:.3g}"


def count(number: int) -> str:
    """A rounded number: `500`, `20k`, `1.5M`; at most five characters below 10^15."""
    value, letter = float(number), ""
    for larger in "kMGT":
        # A value that would be rounded to 1000 belongs to the next letter.
        if value < 999.5:
            break
        value, letter = value / 1000, larger
    text = f"{value:.0f}" if value >= 99.5 or not letter else f"{value:.1f}".removesuffix(".0")
    return f"{text}{letter}"


def loss(value: float | None) -> str:
    """A loss; at most seven characters."""
    if value is None:
        return NOTHING
    return f"{value:.4f}" if value == 0 or 0.00995 <= abs(value) < 99.99995 else f"{value:.1e}"


def learning_rate(value: float) -> str:
    """`0.001`, `3e-05`."""
    return f"{value:g}"


def times(value: float) -> str:
    """A magnification: `34,952×`, `2.5×`."""
    return f"{value:,.0f}×" if value >= 9.95 else f"{value:.1f}×"


def cut(text: str, width: int) -> str:
    """The text; where it is longer than `width`, an ellipsis ends it."""
    if len(text) <= width:
        return text
    return text[: max(0, width - 1)] + "…" if width > 0 else ""
