"""The device bar: who holds the device's memory, at the device's own scale."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text
from vramtop.tui.gpus.condition import Sign
from vramtop.tui.gpus.holders import HolderBytes
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import Palette, ink
from vramtop.tui.widgets.panel import Panel, between
from vramtop.tui.words import units

from .device_usage import Usage, usage
from .holder_bar import holder_bar, holder_name

_SHORTEST_NAME = 6
_PARTIAL = " ▏▎▍▌▋▊▉"
_BETWEEN = " · "


class DeviceBar(Panel[tuple[Usage | None, str]]):
    """A line of names and numbers, on a GPU a legend of the holders, and the bar."""

    def show(self, state: State) -> None:
        """Show the state; on a screen of the class `gpu` this panel has more lines."""
        self.screen.set_class(state.device is not None and state.device.name != "cpu", "gpu")
        super().show(state)

    def pick(self, state: State) -> tuple[Usage | None, str]:
        """The usage, and what is shown until it is known."""
        return usage(state), _waiting(state)

    def draw(self, shown: tuple[Usage | None, str], width: int, height: int) -> Text:
        """The bar, or that the worker is starting."""
        used, waiting = shown
        colors = self.palette
        if used is None:
            line = Text(waiting, ink(colors.muted))
            return line.append("\n").append(colors.empty * width, ink(colors.faint, colors.track))
        facts = [*(sign.brief for sign in used.signs), *used.facts]
        right, needed = self._right(used), len(_BETWEEN.join(facts))
        needed = max(needed, len(used.missing))
        spare = used.parts or used.missing
        crowded = spare and len(used.name) + 2 + needed + 1 + right.cell_len > width
        if crowded or right.cell_len > width:
            # The legend below has the name too.
            right = self._right(used, named=False)
        left = self._left(used, width - right.cell_len - 1)
        line = between(left, right, width).append("\n")
        if not used.parts:
            return line.append_text(_plain_bar(used, width, colors))
        # The bar comes last, next to the split bar, which magnifies a part of it.
        line.append_text(_legend(used.parts, width, height - 2, colors))
        return line.append_text(holder_bar(used.parts, width, colors))

    def _left(self, used: Usage, room: int) -> Text:
        """The name, what is wrong, and as many facts as there is room for, each whole."""
        colors = self.palette
        if used.missing:
            # Why no GPU is used matters more than which processor is used instead.
            rest = room - 2 - len(used.missing)
            name = f"{units.cut(used.name, rest)}  " if rest >= _SHORTEST_NAME else ""
            left = Text(name, ink(colors.text))
            return left.append(units.cut(used.missing, room - len(name)), ink(colors.trouble))
        # The name is cut before what is wrong, which must be seen.
        bad = _BETWEEN.join(sign.brief for sign in used.signs if sign.level != "plain")
        short = max(_SHORTEST_NAME, room - 2 - len(bad)) if bad else len(used.name)
        called = used.name if len(used.name) <= short else used.name.removeprefix("NVIDIA ")
        left = Text(units.cut(called, short), ink(colors.text))
        left.append(f"  {used.trouble}" if used.trouble else "", ink(colors.trouble))
        muted = ink(colors.muted)
        styles = [self._style(sign) for sign in used.signs] + [muted] * len(used.facts)
        facts = [*(sign.brief for sign in used.signs), *used.facts]
        gap = Text("  ")
        # `whole` returns the first facts, so that each still has its style.
        for fact, style in zip(whole(facts, room - left.cell_len - 2), styles, strict=False):
            left.append_text(gap).append(fact, style)
            gap = Text(_BETWEEN, muted)
        return left

    def _style(self, sign: Sign) -> Style:
        colors = self.palette
        if sign.level == "plain":
            return ink(colors.muted)
        return ink(colors.trouble, bold=sign.level == "error")

    def _right(self, used: Usage, *, named: bool = True) -> Text:
        colors, right = self.palette, Text()
        right.append(f"{used.what} ", ink(colors.muted))
        right.append(f"{units.NOTHING if used.used is None else units.size(used.used):>10}")
        if used.whole is not None:
            right.append(" of ", ink(colors.muted))
            right.append(units.size(used.whole), ink(colors.text))
            right.append(f" {used.whole_name}" if named else "", ink(colors.muted))
            part = units.NOTHING if used.used is None else units.share(used.used, used.whole)
            right.append(f" {part:>4}", ink(colors.text))
        return right


def _waiting(state: State) -> str:
    """Why nothing is known of the device."""
    if state.lesson is not None:
        device = state.lesson.settings.device
        return "no worker" if state.over else f"starting the worker… (device {device})"
    if state.life != "running" and state.watched:
        return "nothing was measured"
    return "" if state.watched else "looking into the program…"


def whole(facts: Sequence[str], room: int) -> list[str]:
    """The first facts that fit into `room` columns, none of them cut."""
    fitting = list[str]()
    for fact in facts:
        if len(_BETWEEN.join([*fitting, fact])) > room:
            break
        fitting.append(fact)
    return fitting


def _plain_bar(used: Usage, width: int, colors: Palette) -> Text:
    """A bar of one part, where nobody knows who holds the memory."""
    if not used.used or not used.whole:
        return Text(colors.empty * width, ink(colors.faint, colors.track))
    full = used.used >= used.whole
    eighths = min(width * 8, max(1, round(used.used * width * 8 / used.whole)))
    filled = "█" * (eighths // 8) + _PARTIAL[eighths % 8].strip()
    color = colors.trouble if full else colors.muted
    bar = Text(filled, ink(color, colors.track))
    return bar.append(colors.empty * (width - len(filled)), ink(colors.faint, colors.track))


def _legend(parts: Sequence[HolderBytes], width: int, lines: int, colors: Palette) -> Text:
    """Every part by name with its bytes, in `lines` lines."""
    rows, used = list[Text](), width
    for part in parts:
        name = holder_name(part, colors)
        if used + name.cell_len > width:
            if len(rows) == lines:
                break
            rows.append(Text())
            used = 0
        rows[-1].append_text(name).append("  ")
        used += name.cell_len + 2
    rows += [Text()] * (lines - len(rows))
    return Text().join(row.append("\n") for row in rows)
