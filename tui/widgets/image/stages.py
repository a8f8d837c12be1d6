"""The stages of an image from the file to the model and back: type, shape, bytes, values."""

from __future__ import annotations

from textwrap import wrap

from rich.style import Style
from rich.text import Text
from vramtop.protocol.lesson.messages import Picture, Stage
from vramtop.tui.state.lesson.facts import known
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel

_OPERATION, _TYPE, _SHAPE, _BYTES, _RANGE = 17, 8, 11, 7, 17
_TABLE = _OPERATION + _TYPE + _SHAPE + _BYTES
_TRAINED = "float32"  # the type that is trained with


class StageTable(Panel[tuple[Picture | None]]):
    """A row for each stage, and remarks on what the rows show."""

    def pick(self, state: State) -> tuple[Picture | None]:
        """The image that the worker sent last."""
        return (known(state.lesson).picture,)

    def draw(self, shown: tuple[Picture | None], width: int, height: int) -> Text:
        """The table, and the remarks below it."""
        (picture,), colors = shown, self.palette
        if picture is None:
            return Text()
        if width < _TABLE:
            return Text("\n").join(self._narrow(picture, width, height))
        lines = [*self._rows(picture, width), Text()]
        for word, remark in _remarks(picture):
            line = Text(f"{word:<11}", ink(colors.accent if word == _TRAINED else colors.text))
            lines.append(line.append(remark, ink(colors.muted)))
        return Text("\n").join(lines)

    def _rows(self, picture: Picture, width: int) -> list[Text]:
        """A line for each stage, with the range of its values where there is room."""
        colors, ranges = self.palette, width >= _TABLE + _RANGE
        title = f"{'one image':<{_OPERATION}}{'type':<{_TYPE}}{'shape':>{_SHAPE}}"
        title += f"{'bytes':>{_BYTES}}" + (f"{'values':>{_RANGE}}" if ranges else "")
        rows = [Text(title, ink(colors.muted))]
        for stage in picture.stages:
            row = Text(f"{stage.operation:<{_OPERATION}}", ink(colors.text))
            row.append(f"{stage.dtype:<{_TYPE}}", self._style(stage))
            row.append(f"{_shape(stage):>{_SHAPE}}{stage.bytes:>{_BYTES},}", self._style(stage))
            if ranges:
                row.append(f"{_values(stage):>{_RANGE}}", ink(colors.muted))
            rows.append(row)
        return rows

    def _narrow(self, picture: Picture, width: int, height: int) -> list[Text]:
        """Two lines a stage, and the remarks that have room below."""
        rows = []
        for stage in picture.stages:
            row = Text(f"{stage.operation:<{_OPERATION - 1}}", ink(self.palette.text))
            row.append(f"{stage.bytes:>{_BYTES - 1},} B", self._style(stage))
            rows += [row, Text(f"  {stage.dtype} {_shape(stage)}", self._style(stage))]
        for word, remark in _remarks(picture):
            pieces = wrap(f"{word} {remark}", width)
            if len(rows) + len(pieces) > height:
                break
            rows += [Text(piece, ink(self.palette.muted)) for piece in pieces]
        return rows

    def _style(self, stage: Stage) -> Style:
        """The type that the model gets has the accent: it takes four times the bytes."""
        colors = self.palette
        return ink(colors.accent) if stage.dtype == _TRAINED else ink(colors.text)


def _shape(stage: Stage) -> str:
    return "×".join(map(str, stage.shape))


def _values(stage: Stage) -> str:
    """The lowest and the highest value."""
    if stage.dtype == "uint8":
        return f"{stage.low:.0f} … {stage.high:.0f}"
    return f"{_signed(stage.low)} … {_signed(stage.high)}"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _remarks(picture: Picture) -> tuple[tuple[str, str], ...]:
    """Remarks: a word of the table, and what it does."""
    stored, scaled, normalised = picture.stages[:3]
    mean, std = picture.normalisation
    low, high, middle = (_signed(v) for v in (normalised.low, normalised.high, normalised.mean))
    return (
        (_TRAINED, f"takes {scaled.bytes // stored.bytes}× the bytes of uint8"),
        ("Normalize", f"(x − {mean}) / {std}"),
        ("", f"gives {low} … {high}, mean {middle}"),
        ("permute", "the model takes C×H×W,"),
        ("", "a screen H×W×C: only to show it"),
    )
