"""The device bar: who holds the device's memory, at the device's own scale."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import msgspec
from rich.text import Text
from vramtop.protocol.gpus import Card
from vramtop.protocol.split import AllocatorMemory
from vramtop.tui.gpus.condition import Sign, hot, signs
from vramtop.tui.gpus.holders import Held, of_allocator, of_card
from vramtop.tui.gpus.whereabouts import UNKNOWN_INSTANCE, UNLISTED, accounts
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import Palette, ink
from vramtop.tui.widgets.panel import Panel, between
from vramtop.tui.words import units

from .holder_bar import holder_bar, holder_name

_SHORTEST_NAME = 6
_PARTIAL = " ▏▎▍▌▋▊▉"


class Usage(msgspec.Struct, frozen=True):
    """What is used of what; `whole` is None where nobody knows it.

    `parts` say whose it is, where that is known; they add up to the whole. `facts` are the card's
    own, the most wanted first, and `trouble` is why there are none. `signs` come before them: what
    of the card is as it should not be. `missing` is why there is no card although one may be there.
    """

    name: str
    what: str
    used: int | None
    whole_name: str
    whole: int | None
    parts: tuple[Held, ...] = ()
    facts: tuple[str, ...] = ()
    signs: tuple[Sign, ...] = ()
    trouble: str = ""
    missing: str = ""

    @property
    def start(self) -> int:
        """Where in the whole the training step begins, in bytes."""
        before = takewhile(lambda part: part.holder != "step", self.parts)
        return sum(part.bytes for part in before)


def usage(state: State) -> Usage | None:
    """The usage that this state tells; None until the device is known."""
    device, measured = state.device, state.measured
    if device is None:
        return None
    allocator = measured.allocator if measured else None
    card, budget = state.card, state.settings.budget
    if device.total_bytes is not None and (device.uuid is not None or allocator is not None):
        told_of = accounts(state.where, state.device_memory)
        parts = of_card(told_of.card, state.pid, allocator) if told_of else None
        if parts is None:
            parts = of_allocator(device.total_bytes, allocator) if allocator else ()
        whole = sum(part.bytes for part in parts) or device.total_bytes
        free = sum(part.bytes for part in parts if part.holder in ("free", "others or free"))
        told = "device memory" if budget is None else f"(budget {units.size(budget)})"
        what = "in use, says CUDA" if told_of and told_of.by_cuda else "in use"
        told_by = strain(allocator) if allocator or not measured else ["allocator N/A"]
        return Usage(
            device.description, what, whole - free if parts else None, told, whole,
            parts, (*facts(card), *told_by), signs(card) if card else (), trouble(state),
        )  # fmt: skip
    missing = device.missing or ""
    if budget is not None:
        peak = measured.anatomy.peak.bytes if measured else None
        return Usage(device.description, "peak", peak, "budget", budget, missing=missing)
    whole_name = "machine memory" if device.name == "cpu" else "device memory"
    whole_name = "container limit" if device.container else whole_name
    return Usage(
        device.description, "worker", state.resident, whole_name, device.total_bytes,
        missing=missing,
    )  # fmt: skip


def facts(card: Card | None) -> list[str]:
    """Load, temperature, power and clock, each `N/A` where NVML does not tell it.

    A temperature that is too high is among the signs.
    """
    if card is None or card.trouble is not None:
        return []
    watts = units.number(card.power)
    if card.power_cap is not None:
        watts += f"/{card.power_cap:.0f}"
    return [
        f"{units.number(card.gpu_utilization)}%",
        *([] if hot(card) else [f"{units.number(card.temperature)}°C"]),
        f"{watts} W",
        f"{units.number(card.sm_clock)} MHz",
    ]


def strain(allocator: AllocatorMemory | None) -> list[str]:
    """What the allocator found hard: memory in fragments, and allocations that had to wait."""
    if allocator is None:
        return []
    told = [f"{units.short(allocator.inactive)} in fragments"] if allocator.inactive else []
    told += [f"{allocator.retries} retries"] if allocator.retries else []
    return told + ([f"{allocator.shortages} × out of memory"] if allocator.shortages else [])


def trouble(state: State) -> str:
    """Why an NVIDIA card's own figures are missing."""
    if state.device is None or state.device.uuid is None:
        return ""
    if (where := state.where) is not None:
        known = where.card.trouble or (where.holding and where.holding.trouble)
        return known or ("" if where.holding else UNKNOWN_INSTANCE)
    return (state.cards.trouble or UNLISTED) if state.cards else ""


class DeviceBar(Panel[tuple[Usage | None, bool, str]]):
    """Names and numbers, on a card who is who in the bar, and under them the bar."""

    def show(self, state: State) -> None:
        """Show the state; on a screen of the class `gpu` this panel has more lines."""
        self.screen.set_class(state.device is not None and state.device.name != "cpu", "gpu")
        super().show(state)

    def pick(self, state: State) -> tuple[Usage | None, bool, str]:
        """The usage, and whether the worker is still on its way."""
        return usage(state), state.over, state.settings.device

    def draw(self, shown: tuple[Usage | None, bool, str], width: int, height: int) -> Text:
        """The bar, or that the worker is starting."""
        used, over, device = shown
        colors = self.palette
        if used is None:
            waiting = "no worker" if over else f"starting the worker… (device {device})"
            line = Text(waiting, ink(colors.muted))
            return line.append("\n").append(colors.empty * width, ink(colors.faint, colors.track))
        told = [*(sign.brief for sign in used.signs), *used.facts]
        right, needed = self._right(used), len(" · ".join(told))
        needed = max(needed, len(used.missing))
        spare = used.parts or used.missing
        crowded = spare and len(used.name) + 2 + needed + 1 + right.cell_len > width
        if crowded or right.cell_len > width:
            # The legend below tells anyway what the bar is of.
            right = self._right(used, named=False)
        left = self._left(used, width - right.cell_len - 1)
        line = between(left, right, width).append("\n")
        if not used.parts:
            return line.append_text(_plain_bar(used, width, colors))
        # The bar comes last, next to the one that magnifies a part of it.
        line.append_text(_legend(used.parts, width, height - 2, colors))
        return line.append_text(holder_bar(used.parts, width, colors))

    def _left(self, used: Usage, room: int) -> Text:
        """The name, what is wrong, and as many facts as there is room for, each whole."""
        colors = self.palette
        if used.missing:
            # Why there is no card matters more than which processor stands in for it.
            rest = room - 2 - len(used.missing)
            name = f"{units.fit(used.name, rest)}  " if rest >= _SHORTEST_NAME else ""
            left = Text(name, ink(colors.text))
            return left.append(units.fit(used.missing, room - len(name)), ink(colors.trouble))
        told = [sign.brief for sign in used.signs]
        # The name gives way to what is wrong: whoever looks up must see it.
        bad = " · ".join(sign.brief for sign in used.signs if sign.level != "plain")
        short = max(_SHORTEST_NAME, room - 2 - len(bad)) if bad else len(used.name)
        called = used.name if len(used.name) <= short else used.name.removeprefix("NVIDIA ")
        left = Text(units.fit(called, short), ink(colors.text))
        left.append(f"  {used.trouble}" if used.trouble else "", ink(colors.trouble))
        seen = whole([*told, *used.facts], room - left.cell_len - 2)
        if not seen:
            return left
        left.append("  ")
        start = left.cell_len
        left.append(seen, ink(colors.muted))
        for sign in used.signs:
            if sign.level != "plain" and (at := seen.find(sign.brief)) >= 0:
                style = ink(colors.trouble, bold=sign.level == "error")
                left.stylize(style, start + at, start + at + len(sign.brief))
        return left

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


def whole(facts: Sequence[str], room: int) -> str:
    """As many of the facts as fit into so many columns, none of them cut."""
    told = ""
    for fact in facts:
        longer = f"{told} · {fact}" if told else fact
        if len(longer) > room:
            break
        told = longer
    return told


def _plain_bar(used: Usage, width: int, colors: Palette) -> Text:
    """A bar of one part: what it is made of is the split bar's to show."""
    if not used.used or not used.whole:
        return Text(colors.empty * width, ink(colors.faint, colors.track))
    full = used.used >= used.whole
    eighths = min(width * 8, max(1, round(used.used * width * 8 / used.whole)))
    filled = "█" * (eighths // 8) + _PARTIAL[eighths % 8].strip()
    color = colors.trouble if full else colors.muted
    bar = Text(filled, ink(color, colors.track))
    return bar.append(colors.empty * (width - len(filled)), ink(colors.faint, colors.track))


def _legend(parts: Sequence[Held], width: int, lines: int, colors: Palette) -> Text:
    """Every part by name with its bytes, on as many lines as there are."""
    rows, used = list[Text](), width
    for part in parts:
        told = holder_name(part, colors)
        if used + told.cell_len > width:
            if len(rows) == lines:
                break
            rows.append(Text())
            used = 0
        rows[-1].append_text(told).append("  ")
        used += told.cell_len + 2
    rows += [Text()] * (lines - len(rows))
    return Text().join(row.append("\n") for row in rows)
