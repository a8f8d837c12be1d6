"""What the screen costs: first frame, key to bar, CPU share, bytes a second to the terminal.

The installed command runs behind a pseudo-terminal of 120 by 40 and one of 80 by 24, beside a bare
Textual app that is started the same way; both in turn.

The figures count only where the program did what is measured: steps went on while it trained, and
stood still while it was paused.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

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
SETTLE_SECONDS, STEADY_SECONDS = 2, 15
DEADLINE_SECONDS = 60  # for anything to appear on a screen
CONFIG = tempfile.mkdtemp(prefix="vramtop-")


class Cost(NamedTuple):
    """The share of a core, bytes a second to the terminal, and resident bytes."""

    share: float
    sent: float
    resident: int

    def __str__(self) -> str:
        return (
            f"{self.share:.1%} of a core, {self.sent / 1000:.2f} kB/s, "
            f"{self.resident / 2**20:.0f} MiB resident"
        )


class Answering(pyte.Screen):
    """A terminal's screen that answers what a program asks the terminal, as real ones do."""

    def __init__(self, columns: int, lines: int, answer: Callable[[str], object]) -> None:
        super().__init__(columns, lines)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        """The terminal's answer to a question."""
        self._answer(data)


class Screen:
    """A program in a terminal, with what it has drawn."""

    def __init__(self, command: str, arguments: list[str], size: Size) -> None:
        columns, lines = size
        environment = dict(os.environ, TERM="xterm-256color", COLORTERM="truecolor")
        environment["XDG_CONFIG_HOME"] = CONFIG  # without anybody's own choices
        # Modules are compiled once, as in an installation, not at each start.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.bytes = 0
        self.began = time.perf_counter()
        self.child = pexpect.spawn(command, arguments, dimensions=(lines, columns), env=environment)
        self.screen = Answering(columns, lines, self.child.send)
        self.stream = pyte.ByteStream(self.screen)

    def read(self, seconds: float, *, draw: bool = True) -> None:
        """Take what the program writes within `seconds`, and draw it if wanted."""
        try:
            data = self.child.read_nonblocking(1 << 20, seconds)
        except pexpect.TIMEOUT:
            return
        self.bytes += len(data)
        if draw:
            self.stream.feed(data)

    def until(self, pattern: str) -> float:
        """Seconds until the screen shows the pattern; ends the benchmark where it never does."""
        began = time.perf_counter()
        while not re.search(pattern, self.text()):
            if time.perf_counter() - began > DEADLINE_SECONDS:
                sys.exit(
                    f"no {pattern!r} within {DEADLINE_SECONDS} s on this screen:\n{self.text()}"
                )
            self.read(1)
        return time.perf_counter() - began

    def text(self) -> str:
        """The screen's lines."""
        return "\n".join(self.screen.display)

    def steps(self) -> int:
        """How many steps the screen says were trained."""
        found = re.search(r"step +([\d,]+)", self.text())
        if found is None:
            sys.exit(f"no number of steps on this screen:\n{self.text()}")
        return int(found[1].replace(",", ""))

    def run(self, seconds: float, *, draw: bool = True) -> None:
        """Let the program go on for `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(min(left, 0.1), draw=draw)

    def cost(self, seconds: float) -> Cost:
        """What the program costs while it goes on for `seconds`.

        Its threads' time by the scheduler, in nanoseconds, must agree with that of the process,
        which the system counts in hundredths of a second.
        """
        process = psutil.Process(self.child.pid)
        cpu, threads, count = process.cpu_times(), self._threads(), self.bytes
        began = time.monotonic()
        self.run(seconds, draw=False)
        passed = time.monotonic() - began
        used, ran = process.cpu_times(), (self._threads() - threads) / 1e9
        coarse = used.user + used.system - cpu.user - cpu.system
        if abs(coarse - ran) > 0.05 + 0.1 * coarse:
            sys.exit(f"{coarse:.2f} s of CPU time by the process, {ran:.2f} s by its threads")
        sent = (self.bytes - count) / passed
        return Cost(ran / passed, sent, process.memory_info().rss)

    def _threads(self) -> int:
        """Nanoseconds that all threads of the program have run."""
        files = Path(f"/proc/{self.child.pid}/task").glob("*/schedstat")
        return sum(int(file.read_text().split()[0]) for file in files)

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
    """First frames of both in turn, after one start that compiles the modules."""
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
        for state, key in (("training", ""), ("paused", " ")):
            screen.child.send(key)
            screen.run(SETTLE_SECONDS)
            before = screen.steps()
            cost = screen.cost(STEADY_SECONDS)
            screen.run(SETTLE_SECONDS)
            if (trained := screen.steps() - before > 0) != (state == "training"):
                sys.exit(f"{state}, but trained is {trained}, on this screen:\n{screen.text()}")
            print(f"{state}: {cost}")
        process = psutil.Process(screen.child.pid)
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
