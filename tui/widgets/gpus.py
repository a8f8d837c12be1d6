"""All GPUs of the machine, one of them chosen."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.text import Text
from textual.events import Click
from textual.geometry import Size

from ..cards import Card
from ..holders import of_card
from ..palette import ink
from ..state import State
from ..whereabouts import accounts
from . import gpu_lines
from .gpu_lines import Columns, Gpu
from .panel import Panel


class View(msgspec.Struct, frozen=True):
    """The GPUs in NVML's order."""

    gpus: tuple[Gpu, ...] = ()


class GpuTable(Panel[View]):
    """A line or two for each GPU, and one for each instance; up, down or a click chooses a GPU."""

    LIVE = True

    def __init__(self) -> None:
        super().__init__()
        self._chosen = 0
        self._places: list[int] = []  # whose each line is, from the first below the head
        self._counted = 0

    @property
    def chosen(self) -> int | None:
        """The place of the chosen GPU among the cards; None where there is none."""
        return self._at(self._shown.gpus) if self._shown and self._shown.gpus else None

    def choose(self, place: int) -> None:
        """Choose the GPU at that place, or the nearest there is."""
        if self._shown is not None:
            self._chosen = max(0, min(place, len(self._shown.gpus) - 1))
            self.draw_again()

    def move(self, by: int) -> None:
        """Choose a GPU above or below."""
        if self.chosen is not None:
            self.choose(self.chosen + by)

    def on_click(self, event: Click) -> None:
        """Choose the GPU whose line it is."""
        line = event.y - 1
        if 0 <= line < len(self._places):
            self.choose(self._places[line])

    def pick(self, state: State) -> View:
        """The cards, with who holds their memory."""
        cards = state.cards.cards if state.cards else ()
        return View(tuple(_gpu(card, state) for card in cards))

    def draw_again(self) -> None:
        """Draw what was shown last; more GPUs than before need more room."""
        super().draw_again()
        gpus = self._shown.gpus if self._shown else ()
        counted = _count(gpus, detailed=True)
        if counted != self._counted:
            self._counted = counted
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Two lines for each GPU where that leaves half of the room to others, else one."""
        del viewport, width
        gpus = self._shown.gpus if self._shown else ()
        detailed = 1 + _count(gpus, detailed=True)
        wanted = detailed if 2 * detailed <= container.height else 1 + _count(gpus, detailed=False)
        return min(wanted, container.height * 3 // 4) if gpus else 0

    def draw(self, shown: View, width: int, height: int) -> Text:
        """As many lines around those of the chosen GPU as there is room for."""
        colors, chosen = self.palette, self._at(shown.gpus)
        columns = Columns(shown.gpus, width)
        detailed = height > _count(shown.gpus, detailed=True)
        told: list[tuple[int, Text]] = []
        for place, gpu in enumerate(shown.gpus):
            of_it = gpu_lines.lines(gpu, columns, colors, detailed=detailed, chosen=place == chosen)
            told += [(place, line) for line in of_it]
        # Where not all have room, a line says how many are missing.
        room = height - 1 if len(told) < height else height - 2
        first = _first([place for place, _ in told], chosen, room)
        seen = told[first : first + max(0, room)]
        self._places = [place for place, _ in seen]
        picture = Text(columns.head(), ink(colors.muted))
        for _, line in seen:
            picture.append("\n").append_text(line)
        if len(seen) < len(told):
            missing = f"… and {len(told) - len(seen)} more lines"
            picture.append(f"\n     {missing}", ink(colors.muted))
        return picture

    def _at(self, gpus: Sequence[Gpu]) -> int:
        return max(0, min(self._chosen, len(gpus) - 1))


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


def _first(places: Sequence[int], chosen: int, room: int) -> int:
    """The first line of a window of `room` lines that has the chosen GPU's in its middle."""
    here = places.index(chosen) if chosen in places else 0
    return max(0, min(here - room // 2, len(places) - room))
