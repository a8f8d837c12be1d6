"""The first and the last line of the GPU screen: the driver, and the keys."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from vramtop.protocol.gpus import GpusReport
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.hints import ENDS, Hint, key_line
from vramtop.tui.widgets.panel import Panel, between
from vramtop.tui.words import units


class DriverLine(Panel[tuple[GpusReport | None]]):
    """The driver and how many GPUs it has, or in a calm colour why there are none to show."""

    def pick(self, state: State) -> tuple[GpusReport | None]:
        """What NVML said last; None before it has said anything."""
        return (state.gpus,)

    def draw(self, shown: tuple[GpusReport | None], width: int, height: int) -> Text:
        """One line."""
        del height
        (report,), colors = shown, self.palette
        if report is None:
            return Text("asking NVML…", ink(colors.muted))
        if report.trouble is not None:
            return Text(units.fit(report.trouble, width), ink(colors.text))
        versions = f"NVIDIA driver {report.driver_version or units.MISSING}"
        versions += f" · CUDA {report.cuda_version or units.MISSING}"
        number = len(report.gpus)
        count = Text(f"{number} GPU{'' if number == 1 else 's'}", ink(colors.muted))
        return between(Text(versions, ink(colors.text)), count, width)


class KeyHints(Panel[bool]):
    """The keys of a screen, the most wanted first; the `ends` are always there."""

    def __init__(self, keys: Sequence[Hint], ends: Sequence[Hint] = ENDS) -> None:
        super().__init__()
        self._keys = keys
        self._ends = ends

    def pick(self, state: State) -> bool:
        """Nothing here depends on the state."""
        del state
        return True

    def draw(self, shown: bool, width: int, height: int) -> Text:
        """As many keys as there is room for."""
        del shown, height
        return key_line(self._keys, self._ends, width, self.palette)
