"""The batch size: from one image to all, and which parts of a training depend on it."""

from __future__ import annotations

import msgspec
from rich.text import Text
from vramtop.protocol.lesson.formula import FLOAT32_BYTES
from vramtop.tui.state.lesson.facts import known
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import units

_NAME, _SIZE, _SHAPE, _BYTES, _UPDATES = 18, 7, 14, 11, 14


class BatchFacts(msgspec.Struct, frozen=True):
    """The batch in force: `size` images of `shape`, out of all training `images`.

    An update accumulates `added` batches. The model has `parameters` parameters.
    """

    images: int
    shape: tuple[int, int, int]
    size: int
    added: int
    parameters: int

    def row(self, name: str, size: int, added: int = 1) -> tuple[str, str, str, str, str]:
        """The cells for a batch of this size: name, images, shape, bytes as float32, updates.

        The bytes are those of one batch; an epoch has an update for each `added` of them.
        """
        channels, height, width = self.shape
        weight = size * channels * height * width * FLOAT32_BYTES
        amount = f"{weight:,} B" if weight < 100_000 else units.size(weight)
        updates = -(-self.images // (size * added))
        return name, f"{size:,}", self.batch(size), amount, f"{updates:,}"

    @property
    def times(self) -> str:
        """` ×4` where four batches are added up; empty where it is one."""
        return f" ×{self.added:,}" if self.added > 1 else ""

    @property
    def places(self) -> tuple[tuple[bool, str, tuple[str, ...]], ...]:
        """Whether the part depends on the batch size, the part, and how, shorter and shorter."""
        shape = self.batch(self.size)
        loader = f"{self.size:,} at a time; PyTorch's default is 1"
        loop: tuple[str, ...] = (f"an update for each {shape}",)
        if self.added > 1:
            loader = f"{self.size:,} at a time, {self.added:,} times an update"
            update = f"an update for {self.size * self.added:,} images"
            loop = (
                f"{update}, {self.added:,} × {shape}",
                f"{update}, {self.added:,} batches",
                update,
            )
        return (
            (True, "loader", (loader,)),
            (True, "loop", loop),
            (False, "model", (f"{self.parameters:,} parameters, whatever the batch",)),
            (False, "summary", ("the layer table: shapes of one image",)),
        )

    def batch(self, size: int) -> str:
        """The shape of `size` images together."""
        return "×".join(map(str, (size, *self.shape)))


def _pick(state: State) -> BatchFacts | None:
    """The batch in force; None until it is known."""
    configured = known(state.lesson).configured
    if configured is None:
        return None
    data = configured.data
    return BatchFacts(
        images=data.train_images,
        shape=data.shape,
        size=configured.settings.batch_size,
        added=configured.settings.accumulation,
        parameters=sum(layer.parameters for layer in configured.layers),
    )


class BatchSizeTable(Panel[BatchFacts | None]):
    """Batches of one image, of the size in force, and of all images."""

    def pick(self, state: State) -> BatchFacts | None:
        """The batch in force."""
        return _pick(state)

    def draw(self, shown: BatchFacts | None, width: int, height: int) -> Text:
        """A row for each size; its shape where there is room."""
        del height
        if shown is None:
            return Text()
        colors, shapes = self.palette, width >= _NAME + _SIZE + _SHAPE + _BYTES + _UPDATES
        title = ("batch size", "images", "shape", "as float32", "updates/epoch")
        table = Text(_row(title, shapes=shapes), ink(colors.muted))
        plain, accent = ink(colors.text), ink(colors.accent, bold=True)
        for name, size, added, style in (
            ("PyTorch's default", 1, 1, plain),
            (f"▸ in force{shown.times}", shown.size, shown.added, accent),
            ("the whole dataset", shown.images, 1, plain),
        ):
            table.append("\n").append(_row(shown.row(name, size, added), shapes=shapes), style)
        return table


def _row(cells: tuple[str, str, str, str, str], *, shapes: bool) -> str:
    name, size, shape, weight, updates = cells
    row = f"{name:<{_NAME}}{size:>{_SIZE}}" + (f"{shape:>{_SHAPE}}" if shapes else "")
    return row + f"{weight:>{_BYTES}}{updates:>{_UPDATES}}"


class BatchSizeUses(Panel[BatchFacts | None]):
    """Which parts of a training depend on the batch size, and which do not."""

    def pick(self, state: State) -> BatchFacts | None:
        """The batch in force."""
        return _pick(state)

    def draw(self, shown: BatchFacts | None, width: int, height: int) -> Text:
        """A line for each part."""
        del height
        if shown is None:
            return Text()
        colors = self.palette
        text = Text("where the batch size enters, and where not", ink(colors.muted))
        for enters, place, forms in shown.places:
            how = next((form for form in forms if len(form) <= width - 11), forms[-1])
            text.append("\n")
            text.append("✓ " if enters else "– ", ink(colors.accent if enters else colors.muted))
            text.append(f"{place:<9}", ink(colors.accent if enters else colors.text))
            text.append(units.cut(how, width - 11), ink(colors.text if enters else colors.muted))
        return text
