"""The batch sizes that were tried, side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec
from msgspec.structs import replace
from rich.style import Style
from rich.text import Text
from textual.events import Click
from textual.message import Message
from vramtop.protocol.split import Category
from vramtop.tui.state.lesson.visits import Visit, Visits, epochs_between, with_prediction
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.words import out_of_memory, units

_MARK = 1  # column for the mark of the size in force
_BATCH = 6  # columns at least; accumulated batches need more
_NEIGHBOURS = 4  # rows at least, so that the last may show the smallest that did not fit
_AIR = 3  # columns of space between two at most


class VisitedFacts(msgspec.Struct, frozen=True):
    """The visits, the `key` of the one in force, and the `images` of an epoch."""

    visited: Visits
    key: tuple[int, int]
    images: int | None


class _VisitColumn(msgspec.Struct, frozen=True):
    """A column: its title, its width, and the text that it has for a visit.

    Where there is not room for all columns, those with the least `wanted` number are shown. A
    `live` column shows losses of the running training, not those of a fair comparison.
    """

    title: str
    width: int
    wanted: int
    text: Callable[[Visit], str]
    live: bool = False


_VisitColumns: TypeAlias = tuple[_VisitColumn, ...]


class VisitedTable(Panel[VisitedFacts | None]):
    """A row for each batch size. The one in force is marked; a click on another one selects it.

    Bytes are each category's high water, in the unit of the first column's title. Losses are on the
    test data. The `fair` loss is that after a fair comparison. The two `loss@` columns are live:
    the loss after `from` images of training, and after the further images that the heading names. A
    live loss is dim if it began later than those of other sizes, since they cannot be compared. The
    size that `+` would select is predicted and dim until it is tried.
    """

    class Chosen(Message):
        """A row was clicked."""

        def __init__(self, batch_size: int, accumulation: int) -> None:
            super().__init__()
            self.batch_size = batch_size
            self.accumulation = accumulation

    def pick(self, state: State) -> VisitedFacts | None:
        """The visits of this model, and the prediction of the next one; None without a lesson."""
        lesson = state.lesson
        if lesson is None:
            return None
        key = lesson.settings.effective_batch, lesson.settings.batch_size
        if lesson.configured is None:
            return VisitedFacts(lesson.visited, key, None)
        data = lesson.configured.data
        visited = with_prediction(lesson.visited, data, lesson.predicted)
        return VisitedFacts(visited, key, data.train_images)

    def on_click(self, event: Click) -> None:
        """Ask for the batch size whose row it is."""
        line = event.y - 1
        rows = _window(self._shown, self.content_size.height - 1) if self._shown else ()
        if 0 <= line < len(rows):
            self.post_message(self.Chosen(rows[line].batch_size, rows[line].accumulation))

    def draw(self, shown: VisitedFacts | None, width: int, height: int) -> Text:
        """As many rows around the one in force as there is room for."""
        colors = self.palette
        if shown is None:
            return Text()
        if not shown.visited:
            return Text("the batch sizes that were tried, side by side", ink(colors.muted))
        columns = _columns(shown, width)
        room, first = _room(shown), _first_start(shown.visited)
        head = f"{'batch':>{_MARK + room}}"
        head += "".join(f"{column.title:>{column.width}}" for column in columns)
        table = Text(units.cut(head, width), ink(colors.muted))
        for visit in _window(shown, height - 1):
            here = visit.key == shown.key
            table.append("\n")
            mark = "▸" if here else "+" if visit.predicted else " "
            table.append(mark, ink(colors.accent, bold=True))
            style = ink(colors.muted if visit.predicted else colors.text, bold=here)
            table.append_text(self._row(visit, columns, style, room, width - _MARK, first=first))
        return table

    def _row(
        self,
        visit: Visit,
        columns: _VisitColumns,
        style: Style,
        room: int,
        width: int,
        *,
        first: int,
    ) -> Text:
        """A size in so much room, and what is known of it, or that it did not fit.

        Live losses are dim if they began after the `first` of all sizes.
        """
        row = Text(f"{_name(visit):>{room}}", style)
        if visit.out_of_memory:
            color = self.palette.muted if visit.predicted else self.palette.trouble
            forms = _out_of_memory(visit)
            fitting = next((form for form in forms if len(form) <= width - room), forms[-1])
            return row.append(units.cut(fitting, width - room), ink(color))
        status = "predicted" if visit.predicted else ""
        later = visit.learned is not None and visit.learned.start > first
        for column in columns:
            text = column.text(visit)
            if status and text == units.NOTHING and column.width > len(status):
                text, status = status, ""  # in place of the first figure that only a run can give
            style = ink(self.palette.muted) if column.live and later else Style()
            row.append(f"{text:>{column.width}}", style)
        return row


def _first_start(visited: Visits) -> int:
    """How many images the training had seen when the earliest live loss began."""
    return min((visit.learned.start for visit in visited if visit.learned), default=0)


def _out_of_memory(visit: Visit) -> tuple[str, ...]:
    """What is known of a size that did not fit, in fewer and fewer words."""
    message = "  would be out of memory" if visit.predicted else "  out of memory"
    needed = ""
    if visit.peak is not None and visit.limit is not None:
        needed = f": {units.at_least(visit.peak, visit.limit)}"
    fits = out_of_memory.prediction(visit.would_fit)
    if not fits:
        return (message + needed,)
    fits = f" · {fits}"
    return message + needed + fits, message + fits, message + needed


def _name(visit: Visit) -> str:
    """The batch size, and how many are added up."""
    times = f"×{visit.accumulation}" if visit.accumulation > 1 else ""
    return f"{visit.batch_size:,}{times}"


def _room(shown: VisitedFacts) -> int:
    return max(_BATCH, *(len(_name(visit)) for visit in shown.visited))


def _columns(shown: VisitedFacts, width: int) -> _VisitColumns:
    """Those that there is room for, in their order, and some air between them."""
    unit, room, chosen = _unit(shown.visited), width - _MARK - _room(shown), set[str]()
    columns = (*_sizes(unit), *_figures(shown.visited, shown.images or 1))
    for column in sorted(columns, key=lambda column: column.wanted):
        if column.width > room:
            break
        room -= column.width
        chosen.add(column.title)
    kept = [column for column in columns if column.title in chosen]
    air = min(_AIR, room // max(1, len(kept)))
    return tuple(
        replace(
            column,
            width=column.width + air,
            title=column.title if index else f"{unit.unit} {column.title}",
        )
        for index, column in enumerate(kept)
    )


def _unit(visited: Visits) -> units.Column:
    fitting = [visit for visit in visited if not visit.out_of_memory]
    sizes = [size for visit in fitting for size in (visit.peak, visit.formula)]
    return units.column(size for size in sizes if size is not None)


def _sizes(unit: units.Column) -> _VisitColumns:
    """Bytes: each category's high water, the peak of all together, the formula's sum.

    Those that may come first have room for the unit in their title.
    """

    def category(title: str, wanted: int, name: Category, width: int = 9) -> _VisitColumn:
        return _VisitColumn(
            title, width, wanted, lambda visit: unit.text(getattr(visit.high_water, name, None))
        )

    return (
        category("params", 15, "parameters", 11),
        category("grads", 14, "gradients", 10),
        category("optim.", 13, "optimizer_state", 11),
        category("data", 2, "batch_data"),
        category("activ.", 3, "activations"),
        category("temp.", 11, "temporaries"),
        _VisitColumn("peak", 9, 1, lambda visit: unit.text(visit.peak)),
        _VisitColumn("formula", 9, 9, lambda visit: unit.text(visit.formula)),
    )


def _figures(visited: Visits, images: int) -> _VisitColumns:
    """How fast it was, the updates of an epoch of `images`, and what was learned."""
    live = [visit.learned for visit in visited if visit.learned]
    apart = units.count(live[0].images if live else epochs_between(images) * images)
    return (
        _VisitColumn("step ms", 8, 4, _step),
        _VisitColumn("samples/s", 10, 5, lambda visit: units.rate(visit.samples_per_second)),
        _VisitColumn("updates", 8, 10, lambda visit: f"{-(-images // visit.key[0]):,}"),
        *_fair(visited),
        _VisitColumn("from", 7, 8, _from, live=True),
        _VisitColumn("loss@0", 8, 12, _loss_before, live=True),
        _VisitColumn(f"loss@{apart}", 9, 7, _loss_after, live=True),
    )


def _fair(visited: Visits) -> _VisitColumns:
    """The losses of fair comparisons, where there are any: those on as many images as the last."""
    known = {visit.fair.images for visit in visited if visit.fair}
    if not known:
        return ()
    images = max(known)
    title = f"fair@{units.count(images)}"

    def loss(visit: Visit) -> str:
        return units.loss(visit.fair.after if visit.fair and visit.fair.images == images else None)

    return (_VisitColumn(title, 10, 6, loss),)


def _from(visit: Visit) -> str:
    return units.NOTHING if visit.learned is None else units.count(visit.learned.start)


def _loss_before(visit: Visit) -> str:
    return units.loss(visit.learned.before if visit.learned else None)


def _loss_after(visit: Visit) -> str:
    return units.loss(visit.learned.after if visit.learned else None)


def _step(visit: Visit) -> str:
    if visit.step_seconds is None:
        return units.NOTHING
    thousandths = visit.step_seconds * 1000
    return f"{thousandths:,.2f}" if thousandths < 999.995 else f"{thousandths:,.0f}"


def _window(shown: VisitedFacts, rows: int) -> Visits:
    """The visits that have room: the one in force and its neighbours.

    The last one is the smallest that ran out of memory, where it is beyond the others.
    """
    keys = [visit.key for visit in shown.visited]
    here = keys.index(shown.key) if shown.key in keys else len(keys) - 1
    first = max(0, min(here - rows // 2, len(keys) - rows))
    window = shown.visited[first : first + max(0, rows)]
    beyond = shown.visited[first + len(window) :]
    limit = next((visit for visit in beyond if visit.out_of_memory and not visit.predicted), None)
    if limit is None or len(window) < _NEIGHBOURS or any(visit.out_of_memory for visit in window):
        return window
    return (*window[:-1], limit)
