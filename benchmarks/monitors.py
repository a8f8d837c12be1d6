"""GPU monitors side by side: first frame, CPU share, bytes a second to the terminal, and numbers.

    python benchmarks/monitors.py [NAME=COMMAND …]

Each command runs behind pseudo-terminals of 120 by 40 and 80 by 24 on the same machine of two
simulated GPUs (tests/simgpu), on which another process holds 1 GiB. Beside the commands given (such
as nvitop=…/nvitop and gpustat=…/gpustat), vramtop is measured while it trains, and a bare Textual
app.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path

import psutil
from screen import BARE, PYTHON, SIZES, VRAMTOP, Screen, Size

TESTS = Path(__file__).parent.parent / "tests"
SETTLE_SECONDS, STEADY_SECONDS = 6, 15
OWN = {"vramtop": f"{VRAMTOP} --device cuda:0", "bare app": shlex.join([PYTHON, "-c", BARE])}
# What each shows of a device: its temperature, its power, and the bytes in use.
FIGURES = {"°C": r"(\d+)\s*°?'?C\b", "W": r"(\d+)W?\s*/\s*\d+\s*W", "memory": r"[\d.]+\s*[GM]iB"}


def machine() -> dict[str, str]:
    """The variables of two simulated GPUs that all monitors see."""
    sys.path.insert(0, str(TESTS / "simgpu"))
    from build import build

    folder = Path(tempfile.mkdtemp(prefix="vramtop-"))
    libraries = build(folder)
    return {
        "LD_LIBRARY_PATH": str(libraries),
        "LD_PRELOAD": str(libraries / "libsimcuda.so"),
        "SIMGPU_STATE": str(folder / "state"),
        "SIMGPU_OTHERS": f"4000000:0:{2**30}",
    }


def measure(name: str, command: str, size: Size) -> None:
    """Run one monitor for a while and print what it cost and showed."""
    program, *arguments = shlex.split(command)
    screen = Screen(program, arguments, size)
    try:
        first = screen.until(r"\S{3}")
        _pass(screen, SETTLE_SECONDS)
        process = psutil.Process(screen.child.pid)
        cpu, count, began = process.cpu_times(), screen.bytes, time.monotonic()
        _pass(screen, STEADY_SECONDS)
        seconds, used = time.monotonic() - began, process.cpu_times()
        share = (used.user + used.system - cpu.user - cpu.system) / seconds
        print(
            f"{name:10} first text {first:.2f} s, {share:.1%} of a core, "
            f"{(screen.bytes - count) / seconds / 1000:.2f} kB/s, "
            f"{process.memory_info().rss / 2**20:.0f} MiB resident"
        )
        shown = "\n".join(screen.screen.display)
        for what, pattern in FIGURES.items():
            print(f"{'':10} {what}: {', '.join(re.findall(pattern, shown)[:8]) or 'nothing'}")
    finally:
        screen.child.send("q")
        screen.close()


def _pass(screen: Screen, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        screen.read(0.1)


if __name__ == "__main__":
    os.environ.update(machine())
    for terminal in SIZES:
        print("{} by {}".format(*terminal))
        for each, given in (OWN | dict(text.split("=", 1) for text in sys.argv[1:])).items():
            measure(each, given, terminal)
