"""The table of the machine's GPUs, of which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.text import Text
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.geometry import Size
from textual.message import Message
from vramtop.protocol.gpus import Gpu
from vramtop.tui.gpus.holders import of_gpu
from vramtop.tui.gpus.whereabouts import accounts
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel

from . import gpu_lines, processes
from .gpu_lines import GpuColumns, GpuEntry
from .window import window

_OTHER_LINES = 3  # of the screen: status, driver, keys


class GpuList(msgspec.Struct, frozen=True):
    """The GPUs in NVML's order, and how many rows their processes take."""

    entries: tuple[GpuEntry, ...] = ()
    processes: int = 0


class GpuChoice(msgspec.Struct, frozen=True):
    """What can be chosen: the GPU at a place, or the instance `part` of it."""

    place: int
    part: int | None = None


class GpuTable(Panel[GpuList]):
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
        self._counted: tuple[int, int] = (0, 0)

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
        entries = tuple(_gpu(gpu, state) for gpu in state.gpus.gpus)
        return GpuList(entries, len(processes.process_rows(state.gpus)))

    def draw_again(self) -> None:
        """Draw again; where there are more GPUs or processes than before, ask for more room."""
        super().draw_again()
        shown = self._shown or GpuList()
        counted = _count(shown.entries, detailed=True), shown.processes
        if counted != self._counted:
            self._counted = counted
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Two lines for each GPU where that is at most half of the screen, else one.

        Up to half of the room is left to the processes.
        """
        del viewport, width
        shown = self._shown or GpuList()
        detailed = 1 + _count(shown.entries, detailed=True)
        brief = 1 + _count(shown.entries, detailed=False)
        wanted = detailed if 2 * detailed <= container.height else brief
        room = max(2, container.height - _OTHER_LINES)
        below = min(room // 2, 1 + max(1, shown.processes))
        return min(wanted, room - below) if shown.entries else 0

    def draw(self, shown: GpuList, width: int, height: int) -> Text:
        """As many lines as there is room for, those of the chosen one among them."""
        colors, chosen = self.palette, self._at(self._stops())
        columns = GpuColumns(shown.entries, width)
        detailed = height > _count(shown.entries, detailed=True)
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


def _gpu(gpu: Gpu, state: State) -> GpuEntry:
    where = state.where
    here = where is not None and gpu is where.gpu
    instances = tuple(
        _held(part, state, here=where is not None and part is where.holding)
        for part in gpu.instances
    )
    return msgspec.structs.replace(_held(gpu, state, here=here), instances=instances)


def _held(gpu: Gpu, state: State, *, here: bool) -> GpuEntry:
    """The GPU or the instance, and who holds its memory."""
    measured = state.measured if here else None
    # CUDA's figures are those of the instance that the training has, not of the whole GPU.
    account = accounts(state.where, state.device_memory) if here and not gpu.instances else None
    known = account.gpu if account else gpu
    parts = of_gpu(known, state.pid, measured.allocator if measured else None) or ()
    by = "CUDA" if account and account.by_cuda else "NVML"
    return GpuEntry(gpu, known.in_use, known.total, by, parts, here)


def _count(entries: Sequence[GpuEntry], *, detailed: bool) -> int:
    return sum(gpu_lines.count(entry, detailed=detailed) for entry in entries)
