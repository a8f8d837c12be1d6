"""The main screen of a training: its parts, and what it has room for."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.geometry import Size
from textual.screen import Screen
from vramtop.tui.widgets.gpus.device import DeviceBar
from vramtop.tui.widgets.lines import Foot, KeyLine, Log, NewsLine
from vramtop.tui.widgets.runs.trade import TradeChart
from vramtop.tui.widgets.runs.trends import Trends
from vramtop.tui.widgets.runs.visited import VisitedTable
from vramtop.tui.widgets.status import StatusLine
from vramtop.tui.widgets.step.anatomy import AnatomyChart
from vramtop.tui.widgets.step.brief import Brief
from vramtop.tui.widgets.step.layers import LayerTable
from vramtop.tui.widgets.step.rows import Rows
from vramtop.tui.widgets.step.split_bar import SplitBar
from vramtop.tui.widgets.step.tensors import TensorTable
from vramtop.tui.widgets.still import Room

from .room import TooSmall, fit

_LEAST = (40, 6)  # columns and lines


def parts() -> ComposeResult:
    """The parts, from top to bottom.

    The app composes them itself: they are then there when it draws its first frame, while those of
    a screen of its own would come one frame later.
    """
    yield TooSmall()
    yield StatusLine()
    yield DeviceBar()
    yield SplitBar()
    with Room(id="table"):
        yield Rows()
        yield LayerTable()
    yield Brief()
    with Room(id="body"):
        yield AnatomyChart()
        yield TradeChart()
        yield Trends()
        yield TensorTable()
    with Room(id="lower"):
        yield VisitedTable()
        yield Log()
    yield NewsLine()
    yield KeyLine()
    yield Foot()


def resize(screen: Screen[object], size: Size) -> None:
    """Choose what the main screen has room for."""
    fit(screen, size, _LEAST)
