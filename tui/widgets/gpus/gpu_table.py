"""The table of the machine's GPUs, of which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.text import Text
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message
from vramtop.protocol.gpus import Gpu
from vramtop.tui.gpus.holders import of_gpu
from vramtop.tui.gpus.whereabouts import accounts
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink

from . import gpu_lines
from .gpu_lines import GpuColumns, GpuEntry, lines_of
from .room import Shares, Wanted, wanted
from .sharing import SharingPanel
from .window import window

_SECONDS = 12  # of the past that a line has room for


class GpuList(msgspec.Struct, frozen=True):
    """The GPUs in NVML's order, and the lines that they and their processes want."""

    entries: tuple[GpuEntry, ...] = ()
    lines: Wanted = Wanted()


class GpuChoice(msgspec.Struct, frozen=True):
    """What can be chosen: the GPU at a place, or the instance `part` of it."""

    place: int
    part: int | None = None


class GpuTable(SharingPanel[GpuList]):
    """A line or two for each GPU, and one for each instance; keys, wheel or a click choose one.

    While it is `active`, keys choose here and not in the list of processes.
    """

    LIVE = True

    class Chosen(Message):
        """A line was chosen with the mouse."""

    def __init__(self) -> None:
        super().__init__()
        self.active = True
        self._chosen = GpuChoice(0)
        self._first = 0  # the first line in sight
        self._seen: list[GpuChoice] = []  # what each line below the head belongs to

    @property
    def chosen(self) -> int | None:
        """The place of the chosen GPU among the GPUs; None where there is none."""
        return self._at(self._stops()).place if self._stops() else None

    @property
    def page(self) -> int:
        """How many lines are seen at once."""
        return max(1, len(self._seen))

    def choose(self, place: int) -> None:
        """Choose the GPU at that place."""
        self._choose(GpuChoice(place))

    def move(self, by: int) -> None:
        """Choose the GPU or instance `by` lines further down; negative is up."""
        if stops := self._stops():
            at = stops.index(self._at(stops)) + by
            self._choose(stops[max(0, min(at, len(stops) - 1))])

    def activate(self, *, active: bool) -> None:
        """Let the keys choose here, or no longer."""
        self.active = active
        self.draw_again()

    def on_click(self, event: Click) -> None:
        """Choose the GPU or the instance whose line was clicked."""
        line = event.y - 1
        if 0 <= line < len(self._seen):
            self._choose(self._seen[line])
            self.post_message(self.Chosen())

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """The next one."""
        event.stop()
        self.move(1)
        self.post_message(self.Chosen())

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """The one before."""
        event.stop()
        self.move(-1)
        self.post_message(self.Chosen())

    def pick(self, state: State) -> GpuList:
        """The GPUs, with who holds their memory."""
        if state.gpus is None:
            return GpuList()
        entries = tuple(_gpu(place, gpu, state) for place, gpu in enumerate(state.gpus.gpus))
        return GpuList(entries, wanted(state))

    def share(self, all_shares: Shares) -> int:
        """That of the GPUs."""
        return all_shares.gpus

    def draw(self, shown: GpuList, width: int, height: int) -> Text:
        """As many lines as there is room for, those of the chosen one among them."""
        colors, chosen = self.palette, self._at(self._stops())
        columns = GpuColumns(shown.entries, width)
        every = sum(lines_of(entry.gpu, detailed=True) for entry in shown.entries)
        detailed = height > every
        rows: list[tuple[GpuChoice, Text]] = []
        for place, entry in enumerate(shown.entries):
            here = gpu_lines.ChosenLine(chosen.part, self.active) if place == chosen.place else None
            lines = gpu_lines.lines(entry, columns, colors, detailed=detailed, chosen=here)
            own = len(lines) - len(entry.instances)
            stops = [GpuChoice(place)] * own + [
                GpuChoice(place, part) for part in range(len(entry.instances))
            ]
            rows += zip(stops, lines, strict=True)
        own_lines = [at for at, (stop, _) in enumerate(rows) if stop == chosen]
        # Bring the chosen GPU's last line into sight, then its first, which matters more.
        frame = window(len(rows), height - 1, own_lines[-1] if own_lines else 0, self._first)
        frame = window(len(rows), height - 1, own_lines[0] if own_lines else 0, frame.first)
        self._first = frame.first
        seen = rows[frame.first : frame.end]
        self._seen = [stop for stop, _ in seen]
        picture = Text(columns.head(), ink(colors.muted))
        for _, line in seen:
            picture.append("\n").append_text(line)
        if frame.hidden:
            picture.append(f"\n     {frame.hidden}", ink(colors.muted))
        return picture

    def _choose(self, stop: GpuChoice) -> None:
        self._chosen = stop
        self.draw_again()

    def _stops(self) -> list[GpuChoice]:
        entries = self._shown.entries if self._shown else ()
        return [
            GpuChoice(place, part)
            for place, entry in enumerate(entries)
            for part in (None, *range(len(entry.instances)))
        ]

    def _at(self, stops: Sequence[GpuChoice]) -> GpuChoice:
        """The chosen GPU or instance, or the nearest one where it is gone."""
        if self._chosen in stops or not stops:
            return self._chosen
        return GpuChoice(max(0, min(self._chosen.place, stops[-1].place)))


def _gpu(place: int, gpu: Gpu, state: State) -> GpuEntry:
    where = state.where
    here = where is not None and gpu is where.gpu
    instances = tuple(
        _held(part, state, here=where is not None and part is where.holding)
        for part in gpu.instances
    )
    known = state.gpu_history.gpus
    past = known[place].load[-_SECONDS:] if place < len(known) else ()
    entry = _held(gpu, state, here=here)
    return msgspec.structs.replace(entry, instances=instances, past=past)


def _held(gpu: Gpu, state: State, *, here: bool) -> GpuEntry:
    """The GPU or the instance, and who holds its memory."""
    measured = state.measured if here else None
    # CUDA's figures are those of the instance that the training has, not of the whole GPU.
    account = accounts(state.where, state.device_memory) if here and not gpu.instances else None
    known = account.gpu if account else gpu
    parts = of_gpu(known, state.pid, measured.allocator if measured else None) or ()
    by = "CUDA" if account and account.by_cuda else "NVML"
    return GpuEntry(gpu, known.in_use, known.total, by, parts, here)
