"""GPU monitors side by side: first frame, CPU share, bytes a second to the terminal, and numbers.

    python benchmarks/monitors.py [NAME=COMMAND …]

Each command runs behind pseudo-terminals of 120 by 40 and 80 by 24 on the same machine of two
simulated GPUs (tests/simgpu), on which another process holds 1 GiB. Beside the commands given (such
as nvitop=…/nvitop and gpustat=…/gpustat), it measures vramtop while it trains, vramtop while it
only watches, and a bare Textual app.

Each is timed from the start of its process until its screen shows the same reading of the first
GPU; the bare app until its one word appears. The benchmark ends where a monitor ends meanwhile, or
shows another reading.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path

from screen import BARE, PYTHON, SIZES, VRAMTOP, Screen, Size

TESTS = Path(__file__).parent.parent / "tests"
SETTLE_SECONDS, STEADY_SECONDS = 6, 15
BARE_APP = "bare app"
OWN = {
    "vramtop": f"{VRAMTOP} --device cuda:0",
    "vramtop, watching": f"{VRAMTOP} gpus",
    BARE_APP: shlex.join([PYTHON, "-c", BARE]),
}
READING = r"\b54\s*[°']?C\b"  # the temperature that the simulated GPUs have
# Readings of a device to print: its temperature, its power, and the bytes in use.
FIGURES = {
    "°C": r"(\d+)\s*°?'?C\b",
    "W": r"(\d+)W?\s*/\s*\d+\s*W",
    "memory": r"[\d.]+\s*[GM](?:iB)?\b",
}


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
    """Run one monitor for a while, and print its costs and its readings."""
    program, *arguments = shlex.split(command)
    screen = Screen(program, arguments, size)
    try:
        screen.until(READING if name != BARE_APP else "bare")
        first = time.perf_counter() - screen.began
        screen.run(SETTLE_SECONDS)
        cost = screen.cost(STEADY_SECONDS)
        screen.run(SETTLE_SECONDS)
        if not screen.child.isalive():
            sys.exit(f"{name} has ended; its last screen:\n{screen.text()}")
        print(f"{name:16} first reading {first:.2f} s, {cost}")
        for what, pattern in FIGURES.items():
            print(
                f"{'':16} {what}: {', '.join(re.findall(pattern, screen.text())[:8]) or 'nothing'}"
            )
    finally:
        screen.child.send("q")
        screen.close()


if __name__ == "__main__":
    os.environ.update(machine())
    for terminal in SIZES:
        print("{} by {}".format(*terminal))
        for each, given in (OWN | dict(text.split("=", 1) for text in sys.argv[1:])).items():
            measure(each, given, terminal)
