"""What the screen costs: first frame, key to bar, CPU share, bytes a second to the terminal.

The installed command runs behind a pseudo-terminal of 120 by 40 and one of 80 by 24, beside a bare
Textual app that is started the same way; both in turn.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import pexpect
import psutil
import pyte

PYTHON = sys.executable
VRAMTOP = str(Path(PYTHON).with_name("vramtop"))
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("bare")
Bare().run()
"""
FRAMES = 9
PRESSES = 50
Size = tuple[int, int]
SIZES: tuple[Size, ...] = ((120, 40), (80, 24))
STEADY_SECONDS = 15
CONFIG = tempfile.mkdtemp(prefix="vramtop-")


class Screen:
    """A program in a terminal, with what it has drawn."""

    def __init__(self, command: str, arguments: list[str], size: Size) -> None:
        columns, lines = size
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.bytes = 0
        self.began = time.perf_counter()
        environment = dict(os.environ, TERM="xterm-256color", COLORTERM="truecolor")
        environment["XDG_CONFIG_HOME"] = CONFIG  # what somebody chose once is not what is measured
        # As where it is installed: what is imported is compiled once, not at each start.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.child = pexpect.spawn(command, arguments, dimensions=(lines, columns), env=environment)

    def read(self, seconds: float, *, draw: bool = True) -> None:
        """Take what the program writes within so many seconds, and draw it unless told not to."""
        try:
            data = self.child.read_nonblocking(1 << 20, seconds)
        except pexpect.TIMEOUT:
            return
        self.bytes += len(data)
        if draw:
            self.stream.feed(data)

    def until(self, pattern: str) -> float:
        """Seconds until the screen shows the pattern."""
        began = time.perf_counter()
        while not re.search(pattern, "\n".join(self.screen.display)):
            self.read(60)
        return time.perf_counter() - began

    def close(self) -> None:
        """End the program."""
        self.child.close(force=True)


def first_frame(command: str, arguments: list[str], size: Size, pattern: str) -> float:
    """Seconds from the start of the process until its first text stands on the screen."""
    screen = Screen(command, arguments, size)
    try:
        screen.until(pattern)
        return time.perf_counter() - screen.began
    finally:
        screen.close()


def frames(size: Size) -> None:
    """First frames of both, in turn, once all that they import is compiled."""
    first_frame(VRAMTOP, ["--device", "cpu"], size, "starting")
    ours, bare = [], []
    for _ in range(FRAMES):
        ours.append(first_frame(VRAMTOP, ["--device", "cpu"], size, "starting"))
        bare.append(first_frame(PYTHON, ["-c", BARE], size, "bare"))
    ratio = median(a / b for a, b in zip(ours, bare, strict=True))
    print(
        f"first frame, median of {FRAMES}: vramtop {median(ours):.3f} s, bare Textual app "
        f"{median(bare):.3f} s, ratio {ratio:.2f}"
    )


def keys_and_steady_state(size: Size) -> None:
    """Key to bar, then CPU share, bytes a second and memory while training and while paused."""
    screen = Screen(VRAMTOP, ["--device", "cpu"], size)
    try:
        screen.until(r"Activations +\S+ +\S+ +37\.0")
        waits = []
        for press in range(PRESSES):
            key, bars = ("+", r"74\.0") if press % 2 == 0 else ("-", r"37\.0")
            screen.child.send(key)
            waits.append(screen.until(rf"Activations +\S+ +\S+ +{bars}"))
        print(
            f"key to the new size's bar, {PRESSES} presses: median {median(waits) * 1000:.0f} ms, "
            f"worst {max(waits) * 1000:.0f} ms"
        )
        process = psutil.Process(screen.child.pid)
        for state, key in (("training", ""), ("paused", " ")):
            screen.child.send(key)
            settle = time.monotonic() + 2
            while time.monotonic() < settle:
                screen.read(0.1)
            cpu, count, began = process.cpu_times(), screen.bytes, time.monotonic()
            while time.monotonic() - began < STEADY_SECONDS:
                screen.read(0.1, draw=False)
            seconds = time.monotonic() - began
            used = process.cpu_times()
            share = (used.user + used.system - cpu.user - cpu.system) / seconds
            print(
                f"{state}: {share:.1%} of a core, {(screen.bytes - count) / seconds / 1000:.2f} "
                f"kB/s, {process.memory_info().rss / 2**20:.0f} MiB resident"
            )
        torch = [mapped.path for mapped in process.memory_maps() if "libtorch" in mapped.path]
        print(f"torch libraries mapped by the monitor's process: {len(torch)}")
    finally:
        screen.child.send("q")
        screen.close()


if __name__ == "__main__":
    for terminal in SIZES:
        print("{} by {}".format(*terminal))
        frames(terminal)
        keys_and_steady_state(terminal)
