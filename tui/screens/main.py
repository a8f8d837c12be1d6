"""The main screen, of the lesson or of a watched program: its parts, and what it has room for."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.geometry import Size
from textual.screen import Screen
from vramtop.tui.widgets.cached import CachedContainer
from vramtop.tui.widgets.gpus.device_bar import DeviceBar
from vramtop.tui.widgets.lines import Foot, KeyLine, Log, NewsLine
from vramtop.tui.widgets.runs.trade import TradeChart
from vramtop.tui.widgets.runs.trends import Trends
from vramtop.tui.widgets.runs.visited import VisitedTable
from vramtop.tui.widgets.status import StatusLine
from vramtop.tui.widgets.step.anatomy import AnatomyChart
from vramtop.tui.widgets.step.category_brief import CategoryBrief
from vramtop.tui.widgets.step.category_table import CategoryTable
from vramtop.tui.widgets.step.inside_list import InsideList
from vramtop.tui.widgets.step.layers import LayerTable
from vramtop.tui.widgets.step.shapes import ShapeTable
from vramtop.tui.widgets.step.split_bar import SplitBar
from vramtop.tui.widgets.step.tensors import TensorTable

from .room import TooSmall, adapt

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
    with CachedContainer(id="table"):
        yield CategoryTable()
        yield LayerTable()
    yield CategoryBrief()
    with CachedContainer(id="body"):
        yield AnatomyChart()
        yield TradeChart()
        yield Trends()
        yield TensorTable()
    with CachedContainer(id="lower"):
        yield VisitedTable()
        yield Log()
        with CachedContainer(id="inside"):
            yield InsideList()
            yield ShapeTable()
    yield NewsLine()
    yield KeyLine()
    yield Foot()


def resize(screen: Screen[Any], size: Size) -> None:
    """Choose what the main screen has room for."""
    adapt(screen, size, _LEAST)
