"""The first line of the GPU screen: the driver, and how many GPUs it has."""

from __future__ import annotations

from rich.text import Text
from vramtop.protocol.gpus import GpusReport
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
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
            return Text(units.cut(report.trouble, width), ink(colors.text))
        versions = f"NVIDIA driver {report.driver_version or units.MISSING}"
        versions += f" · CUDA {report.cuda_version or units.MISSING}"
        number = len(report.gpus)
        count = Text(f"{number} GPU{'' if number == 1 else 's'}", ink(colors.muted))
        return between(Text(versions, ink(colors.text)), count, width)
