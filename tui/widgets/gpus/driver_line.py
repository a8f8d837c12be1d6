"""The first line of the GPU screen: the driver, its GPUs, and what the machine itself does."""

from __future__ import annotations

from rich.text import Text
from vramtop.protocol.gpus import GpusReport, Host
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.panel import Panel, between
from vramtop.tui.words import units

_HELD = "held · space goes on"


class DriverLine(Panel[tuple[GpusReport | None, bool]]):
    """The driver and how many GPUs it has, or in a calm colour why there are none to show.

    While the picture is held, it says so in the place of the machine's own load.
    """

    def pick(self, state: State) -> tuple[GpusReport | None, bool]:
        """What NVML said last, None before it has said anything; whether that is held."""
        return state.gpus, state.held_gpus is not None

    def draw(self, shown: tuple[GpusReport | None, bool], width: int, height: int) -> Text:
        """One line."""
        del height
        (report, held), colors = shown, self.palette
        if report is None:
            return Text("asking NVML…", ink(colors.muted))
        if report.trouble is not None:
            return Text(units.cut(report.trouble, width), ink(colors.text))
        versions = f"NVIDIA driver {report.driver_version or units.MISSING}"
        versions += f" · CUDA {report.cuda_version or units.MISSING}"
        if held:
            return between(Text(versions, ink(colors.text)), Text(_HELD, ink(colors.accent)), width)
        number = len(report.gpus)
        facts = [*_host(report.host), f"{number} GPU{'' if number == 1 else 's'}"]
        while len(versions) + 2 + len(" · ".join(facts)) > width and len(facts) > 1:
            facts.pop(0)
        right = Text(" · ".join(facts), ink(colors.muted))
        return between(Text(versions, ink(colors.text)), right, width)


def _host(host: Host | None) -> list[str]:
    """The machine's own load and memory, as far as they are known, the least wanted first."""
    if host is None:
        return []
    found = []
    if host.load is not None:
        found.append(f"load {host.load[0]:.1f}")
    if host.cpu is not None and host.cores is not None:
        found.append(f"CPU {host.cpu:.0f}% of {host.cores}")
    if host.used is not None and host.total is not None:
        found.append(f"host {units.short(host.used)}/{units.short(host.total)}")
    return found
