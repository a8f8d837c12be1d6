"""The batch size: what its two ends would be, where it enters, and where it does not."""

from __future__ import annotations

import msgspec
from rich.text import Text

from ...trainer.formula import FLOAT32_BYTES
from ...trainer.protocol import Configured
from .. import units
from ..palette import ink
from ..state import State
from .panel import Panel

_NAME, _SIZE, _SHAPE, _BYTES, _UPDATES = 18, 7, 14, 11, 14


class BatchView(msgspec.Struct, frozen=True):
    """What a batch is made of: images of `shape`, so many for training, `size` at a time."""

    images: int
    shape: tuple[int, int, int]
    size: int
    parameters: int

    def row(self, name: str, size: int) -> tuple[str, str, str, str, str]:
        """A batch of this size: its name, its size, its shape, bytes as float32, updates."""
        channels, height, width = self.shape
        weight = size * channels * height * width * FLOAT32_BYTES
        told = f"{weight:,} B" if weight < 100_000 else units.size(weight)
        return name, f"{size:,}", self.batch(size), told, f"{-(-self.images // size):,}"

    def batch(self, size: int) -> str:
        """The shape of so many images together."""
        return "×".join(map(str, (size, *self.shape)))


def _view(configured: Configured) -> BatchView:
    data = configured.data
    return BatchView(
        images=data.train_images,
        shape=data.shape,
        size=configured.settings.batch_size,
        parameters=sum(layer.parameters for layer in configured.layers),
    )


class BatchEnds(Panel[BatchView | None]):
    """A batch of one image, the one in force, and all of the data at once."""

    def pick(self, state: State) -> BatchView | None:
        """What a batch is made of."""
        return _view(state.configured) if state.configured else None

    def draw(self, shown: BatchView | None, width: int, height: int) -> Text:
        """A row each; the shape where there is room for it."""
        del height
        if shown is None:
            return Text()
        colors, shapes = self.palette, width >= _NAME + _SIZE + _SHAPE + _BYTES + _UPDATES
        title = ("batch size", "images", "shape", "as float32", "updates/epoch")
        table = Text(_row(title, shapes=shapes), ink(colors.muted))
        for name, size in (
            ("PyTorch's default", 1),
            ("▸ in force", shown.size),
            ("the whole dataset", shown.images),
        ):
            style = ink(colors.accent, bold=True) if name.startswith("▸") else ink(colors.text)
            table.append("\n").append(_row(shown.row(name, size), shapes=shapes), style)
        return table


def _row(cells: tuple[str, str, str, str, str], *, shapes: bool) -> str:
    name, size, shape, weight, updates = cells
    row = f"{name:<{_NAME}}{size:>{_SIZE}}" + (f"{shape:>{_SHAPE}}" if shapes else "")
    return row + f"{weight:>{_BYTES}}{updates:>{_UPDATES}}"


class BatchPlaces(Panel[BatchView | None]):
    """Where the batch size enters, and where it does not."""

    def pick(self, state: State) -> BatchView | None:
        """What a batch is made of."""
        return _view(state.configured) if state.configured else None

    def draw(self, shown: BatchView | None, width: int, height: int) -> Text:
        """A line a place."""
        del height
        if shown is None:
            return Text()
        colors = self.palette
        places = (
            (True, "loader", f"{shown.size:,} at a time; PyTorch's default is 1"),
            (True, "loop", f"an update for each {shown.batch(shown.size)}"),
            (False, "model", f"{shown.parameters:,} parameters, whatever the batch"),
            (False, "summary", "the layer table: shapes of one image"),
        )
        text = Text("where the batch size enters, and where not", ink(colors.muted))
        for enters, place, told in places:
            text.append("\n")
            text.append("✓ " if enters else "– ", ink(colors.accent if enters else colors.muted))
            text.append(f"{place:<9}", ink(colors.accent if enters else colors.text))
            text.append(units.fit(told, width - 11), ink(colors.text if enters else colors.muted))
        return text
