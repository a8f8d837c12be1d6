"""A tmux of its own, with a shell in it, for tests that need a real terminal's job control."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from command import VRAMTOP
from recorded_monitor import PROGRAM
from terminal import MEASURED, TIMEOUT_SECONDS

PROMPT = "ready>"


class Tmux:
    """One pane; `monitor` and `worker` are the processes of the vramtop that runs in it."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.monitor: psutil.Process
        self.worker: psutil.Process

    def command(self, *arguments: str) -> str:
        """What one tmux command prints."""
        called = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *arguments]
        return subprocess.run(called, capture_output=True, text=True, check=True).stdout

    def keys(self, *keys: str) -> None:
        """Press keys, as tmux names them."""
        self.command("send-keys", *keys)

    def text(self) -> str:
        """What the pane shows."""
        return self.command("capture-pane", "-p")

    def wait_for(self, pattern: str) -> str:
        """The pane's text, once it shows the pattern."""
        latest = time.monotonic() + TIMEOUT_SECONDS
        while not re.search(pattern, text := self.text()):
            assert time.monotonic() < latest, f"no {pattern!r} in:\n{text}"
            time.sleep(0.02)
        return text

    def resize(self, columns: int, lines: int) -> None:
        """Give the pane another size, under the program's feet."""
        self.command("resize-window", "-x", str(columns), "-y", str(lines))

    def start(self, *, recorded: bool = False) -> None:
        """Type the command, and wait until a step has been measured.

        If `recorded`, then by a worker that repeats a recorded session.
        """
        self.keys(shlex.join([*(PROGRAM if recorded else [VRAMTOP]), "--device", "cpu"]), "Enter")
        self.wait_for(MEASURED)
        shell = psutil.Process(int(self.command("display-message", "-p", "#{pane_pid}")))
        (self.monitor,) = shell.children()
        (self.worker,) = self.monitor.children()

    def rests(self) -> None:
        """Wait until the worker takes no time of the processor, however busy others keep that."""
        latest = time.monotonic() + TIMEOUT_SECONDS
        taken = self._worker_seconds()
        while True:
            time.sleep(1)
            before, taken = taken, self._worker_seconds()
            if taken - before <= 0.01:  # its look at its parent, twice a second
                return
            assert time.monotonic() < latest, "the training goes on"

    def _worker_seconds(self) -> float:
        times = self.worker.cpu_times()
        return float(times.user + times.system)

    def left(self) -> list[psutil.Process]:
        """Which of monitor and worker is left, after time enough to end."""
        _, alive = psutil.wait_procs([self.monitor, self.worker], TIMEOUT_SECONDS)
        return list(alive)


@contextmanager
def tmux(folder: Path, columns: int, lines: int) -> Iterator[Tmux]:
    """A shell in a tmux of this size; nothing of it is left afterwards."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    pane = Tmux(folder / "socket")
    # As some shells do, this one exports the size that its terminal has at first.
    exported = f"COLUMNS={columns} LINES={lines} XDG_CONFIG_HOME={folder}"
    shell = f"env PS1='{PROMPT} ' {exported} sh -i"
    size = ("-x", str(columns), "-y", str(lines))
    pane.command("new-session", "-d", *size, shell)
    try:
        pane.wait_for(PROMPT)
        yield pane
    finally:
        pane.command("kill-server")
