"""The batch size: the smallest and the largest, where it matters, and where it does not."""

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


class BatchView(msgspec.Struct, frozen=True):
    """A batch of `size` images of `shape`, out of the training `images`.

    So many batches are `added` up for an update. The model has so many `parameters`.
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
        """Whether the batch size matters, the place, and how, in fewer and fewer words."""
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
        """The shape of so many images together."""
        return "×".join(map(str, (size, *self.shape)))


def _view(state: State) -> BatchView | None:
    """What a batch is made of; None where nothing is configured yet."""
    configured = known(state.lesson).configured
    if configured is None:
        return None
    data = configured.data
    return BatchView(
        images=data.train_images,
        shape=data.shape,
        size=configured.settings.batch_size,
        added=configured.settings.accumulation,
        parameters=sum(layer.parameters for layer in configured.layers),
    )


class BatchEnds(Panel[BatchView | None]):
    """A batch of one image, the one in force, and all of the data at once."""

    def pick(self, state: State) -> BatchView | None:
        """What a batch is made of."""
        return _view(state)

    def draw(self, shown: BatchView | None, width: int, height: int) -> Text:
        """A row for each; the shape where there is room for it."""
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


class BatchPlaces(Panel[BatchView | None]):
    """Where the batch size matters, and where it does not."""

    def pick(self, state: State) -> BatchView | None:
        """What a batch is made of."""
        return _view(state)

    def draw(self, shown: BatchView | None, width: int, height: int) -> Text:
        """A line for each place."""
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
            text.append(units.fit(how, width - 11), ink(colors.text if enters else colors.muted))
        return text
