"""All GPUs of the machine, one of them chosen."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.text import Text
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.geometry import Size
from textual.message import Message
from vramtop.tui.gpus.cards import Card
from vramtop.tui.gpus.holders import of_card
from vramtop.tui.gpus.whereabouts import accounts
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel

from . import gpu_lines, processes
from .gpu_lines import Columns, Gpu
from .window import window

_OTHER_LINES = 3  # of the screen: the status, the driver, the keys


class View(msgspec.Struct, frozen=True):
    """The GPUs in NVML's order, and how many rows their processes take."""

    gpus: tuple[Gpu, ...] = ()
    processes: int = 0


class Stop(msgspec.Struct, frozen=True):
    """What can be chosen: the GPU at a place, or with a `part` one of its instances."""

    place: int
    part: int | None = None


class GpuTable(Panel[View]):
    """A line or two for each GPU, and one for each instance; keys, wheel or a click choose one.

    It is `active` while the keys go to it, and not to the list below.
    """

    LIVE = True

    class Chosen(Message):
        """A line was chosen with the mouse."""

    def __init__(self) -> None:
        super().__init__()
        self.active = True
        self._chosen = Stop(0)
        self._first = 0  # the first line that is seen
        self._seen: list[Stop] = []  # whose each line is, from the first below the head
        self._counted: tuple[int, int] = (0, 0)

    @property
    def chosen(self) -> int | None:
        """The place of the chosen GPU among the cards; None where there is none."""
        return self._at(self._stops()).place if self._stops() else None

    @property
    def page(self) -> int:
        """How many lines are seen at once."""
        return max(1, len(self._seen))

    def choose(self, place: int) -> None:
        """Choose the GPU at that place."""
        self._choose(Stop(place))

    def move(self, by: int) -> None:
        """Choose a GPU or an instance so many further down, or up, as far as there are any."""
        if stops := self._stops():
            at = stops.index(self._at(stops)) + by
            self._choose(stops[max(0, min(at, len(stops) - 1))])

    def activate(self, *, active: bool) -> None:
        """The keys go to this list, or no longer do."""
        self.active = active
        self.draw_again()

    def on_click(self, event: Click) -> None:
        """Choose the GPU, or the instance, whose line it is."""
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

    def pick(self, state: State) -> View:
        """The cards, with who holds their memory."""
        if state.cards is None:
            return View()
        gpus = tuple(_gpu(card, state) for card in state.cards.cards)
        return View(gpus, len(processes.rows(state.cards)))

    def draw_again(self) -> None:
        """Draw what was shown last; more GPUs or processes than before need more room."""
        super().draw_again()
        shown = self._shown or View()
        counted = _count(shown.gpus, detailed=True), shown.processes
        if counted != self._counted:
            self._counted = counted
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Two lines for each GPU where that leaves half of the room to others, else one.

        The processes have up to half of the room for themselves.
        """
        del viewport, width
        shown = self._shown or View()
        detailed = 1 + _count(shown.gpus, detailed=True)
        brief = 1 + _count(shown.gpus, detailed=False)
        wanted = detailed if 2 * detailed <= container.height else brief
        room = max(2, container.height - _OTHER_LINES)
        below = min(room // 2, 1 + max(1, shown.processes))
        return min(wanted, room - below) if shown.gpus else 0

    def draw(self, shown: View, width: int, height: int) -> Text:
        """As many lines as there is room for, those of the chosen one among them."""
        colors, chosen = self.palette, self._at(self._stops())
        columns = Columns(shown.gpus, width)
        detailed = height > _count(shown.gpus, detailed=True)
        told: list[tuple[Stop, Text]] = []
        for place, gpu in enumerate(shown.gpus):
            mark = gpu_lines.Mark(chosen.part, self.active) if place == chosen.place else None
            lines = gpu_lines.lines(gpu, columns, colors, detailed=detailed, mark=mark)
            own = len(lines) - len(gpu.instances)
            stops = [Stop(place)] * own + [Stop(place, part) for part in range(len(gpu.instances))]
            told += zip(stops, lines, strict=True)
        here = [at for at, (stop, _) in enumerate(told) if stop == chosen]
        # The last of its lines, and then the first, which is what must be seen.
        frame = window(len(told), height - 1, here[-1] if here else 0, self._first)
        frame = window(len(told), height - 1, here[0] if here else 0, frame.first)
        self._first = frame.first
        seen = told[frame.first : frame.end]
        self._seen = [stop for stop, _ in seen]
        picture = Text(columns.head(), ink(colors.muted))
        for _, line in seen:
            picture.append("\n").append_text(line)
        if frame.hidden:
            picture.append(f"\n     {frame.hidden}", ink(colors.muted))
        return picture

    def _choose(self, stop: Stop) -> None:
        self._chosen = stop
        self.draw_again()

    def _stops(self) -> list[Stop]:
        gpus = self._shown.gpus if self._shown else ()
        return [
            Stop(place, part)
            for place, gpu in enumerate(gpus)
            for part in (None, *range(len(gpu.instances)))
        ]

    def _at(self, stops: Sequence[Stop]) -> Stop:
        """The chosen one, or what is nearest to it now."""
        if self._chosen in stops or not stops:
            return self._chosen
        return Stop(max(0, min(self._chosen.place, stops[-1].place)))


def _gpu(card: Card, state: State) -> Gpu:
    where = state.where
    here = where is not None and card is where.card
    instances = tuple(
        _held(part, state, here=where is not None and part is where.holding)
        for part in card.instances
    )
    return msgspec.structs.replace(_held(card, state, here=here), instances=instances)


def _held(card: Card, state: State, *, here: bool) -> Gpu:
    """The card or the instance with who holds its memory."""
    measured = state.measured if here else None
    # CUDA tells of the very device that the training has, not of the GPU that it is a part of.
    told = accounts(state.where, state.device_memory) if here and not card.instances else None
    known = told.card if told else card
    parts = of_card(known, state.pid, measured.allocator if measured else None) or ()
    by = "CUDA" if told and told.by_cuda else "NVML"
    return Gpu(card, known.in_use, known.total, by, parts, here)


def _count(gpus: Sequence[Gpu], *, detailed: bool) -> int:
    return sum(gpu_lines.count(gpu, detailed=detailed) for gpu in gpus)
