"""Random keys and sizes of the terminal, then esc and `q`: does the screen still respond?

    python benchmarks/random_keys.py [RUNS [KEYS]]     20 runs of 500 keys by default

Two runs at a time. The installed command trains on the CPU behind a pseudo-terminal. Each 25th key
comes with another size of the terminal, 1 to 60 lines of 1 to 200 columns. The exit code is 1 where
a run still goes on half a minute after `q`, or ended by a fault.
"""

from __future__ import annotations

import os
import random
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pexpect
import pyte

VRAMTOP = str(Path(sys.executable).with_name("vramtop"))
LINES, COLUMNS = 40, 120
MOST_LINES, MOST_COLUMNS = 60, 200
KEYS_A_SIZE = 25
KEY_SECONDS, ESCAPE_SECONDS = 0.02, 0.25
START_SECONDS, END_SECONDS = 120, 30
# Each key of the screens, and answers to what some of them ask.
KEYS = (
    *"+-][bamModwlvsiNnyxgcztprT? .",
    *("12\r", "3\r", "64\r", "zz", "\r", "\t", "\x1b", "\x10"),
    *("\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"),
)
Outcome = Literal["ended", "stuck", "failed"]


class Pressed:
    """A monitor in a terminal, whose keys are pressed at random."""

    def __init__(self, seed: int, config: str) -> None:
        self._random = random.Random(seed)
        self._environment = dict(os.environ, TERM="xterm-256color", XDG_CONFIG_HOME=config)
        self._start()

    def _start(self) -> None:
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self._latest = b""
        self._child = pexpect.spawn(
            VRAMTOP, ["--device", "cpu"], dimensions=(LINES, COLUMNS), env=self._environment
        )
        self._child.delaybeforesend = None
        latest = time.monotonic() + START_SECONDS
        while not re.search(r"Activations +\S+ +\S+ +37\.0", self.text):
            if time.monotonic() > latest or not self._read(1, draw=True):
                raise RuntimeError(f"it does not start:\n{self.text}")

    @property
    def text(self) -> str:
        """The screen, as far as it was drawn."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def last_words(self) -> str:
        """The latest output, without control sequences."""
        return re.sub(r"\x1b\[[\d;?<>=]*[A-Za-z]", "", self._latest.decode(errors="replace"))

    def press(self, count: int) -> Outcome | None:
        """Press `count` keys. Where one quits, the next monitor starts. None where all is well."""
        for number in range(count):
            key = self._random.choice(KEYS)
            self._child.send(key)
            if number % KEYS_A_SIZE == 0:
                lines = self._random.randint(1, MOST_LINES)
                self._child.setwinsize(lines, self._random.randint(1, MOST_COLUMNS))
            # A key right after esc would be taken as one with alt.
            if not self._read(ESCAPE_SECONDS if key == "\x1b" else KEY_SECONDS):
                if (outcome := self._end()) != "ended":
                    return outcome
                self._start()  # the palette can quit too
        return None

    def leave(self) -> Outcome:
        """Esc until the main screen is there, then `q`."""
        self._child.setwinsize(LINES, COLUMNS)
        self._read(1)
        for _ in range(6):
            self._child.send("\x1b")
            self._read(0.5, draw=True)
        self._child.send("q")
        return self._end()

    def _end(self) -> Outcome:
        latest = time.monotonic() + END_SECONDS
        while self._read(0.1, draw=True):
            if time.monotonic() > latest:
                self._child.close(force=True)
                return "stuck"
        self._child.close()
        return "ended" if self._child.exitstatus == 0 else "failed"

    def _read(self, seconds: float, *, draw: bool = False) -> bool:
        """Take what is written within `seconds`; False once the monitor has ended."""
        latest = time.monotonic() + seconds
        while (left := latest - time.monotonic()) > 0:
            try:
                data = self._child.read_nonblocking(1 << 16, left)
            except pexpect.TIMEOUT:
                break
            except pexpect.EOF:
                return False
            self._latest = (self._latest + data)[-8192:]
            if draw:
                self._stream.feed(data)
        return True


def run(seed: int, count: int) -> tuple[Outcome, str]:
    """How a run of `count` keys ended, and its last screen or output where it did not end well."""
    with tempfile.TemporaryDirectory(prefix="vramtop-") as config:
        pressed = Pressed(seed, config)
        outcome = pressed.press(count) or pressed.leave()
        text = {"ended": "", "stuck": pressed.text, "failed": pressed.last_words}[outcome]
        return outcome, text


def main(runs: int, count: int) -> int:
    """All runs; returns the exit code."""
    bad = {"stuck": 0, "failed": 0}
    with ThreadPoolExecutor(2) as pool:
        for seed, (outcome, text) in enumerate(
            pool.map(lambda seed: run(seed, count), range(runs))
        ):
            if outcome != "ended":
                bad[outcome] += 1
                print(f"run {seed}: {outcome}\n{text}")
    print(
        f"{runs} runs of {count:,} keys, two side by side: {bad['stuck']} stuck, "
        f"{bad['failed']} ended by a fault"
    )
    return 1 if any(bad.values()) else 0


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*(*arguments, *(20, 500)[len(arguments) :])))
