"""What it costs a program that somebody looks into it: `vramtop attach`, and an import of PyTorch.

    python benchmarks/attaching.py [DEVICE] [ROUNDS]

A training runs, in a process of its own, with a thread that wakes every millisecond: its longest
gap is how long the process stood still. In each round somebody attaches, waits for one watched
step, and leaves. The gaps of some seconds before that show what a gap is worth on this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil
from vramtop.tui.programs.launch import environment

DEVICE = (sys.argv[1:2] or ["cpu"])[0]
ROUNDS = int((sys.argv[2:3] or ["5"])[0])
VRAMTOP = str(Path(sys.executable).with_name("vramtop"))
PROGRAM = """
import sys, threading, time, torch
from torch import nn

def watch():
    last = time.monotonic()
    while True:
        time.sleep(0.001)
        now = time.monotonic()
        gaps.append((last, now - last))
        last = now

def answer():
    for line in sys.stdin:
        begin = float(line)
        print(max((gap for at, gap in list(gaps) if at >= begin), default=0.0), flush=True)
        gaps.clear()

gaps = []
torch.manual_seed(42)
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).to({device!r})
optimizer = torch.optim.AdamW(model.parameters())
inputs, targets = torch.randn(64, 784).to({device!r}), torch.randint(0, 10, (64,)).to({device!r})
for task in (watch, answer):
    threading.Thread(target=task, daemon=True).start()
while True:
    loss = nn.functional.cross_entropy(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
# What the end of `import torch` does with all that wants to be imported with it.
IMPORT = """
import os, time
os.environ["TORCH_DEVICE_BACKEND_AUTOLOAD"] = "0"
import torch
began = time.perf_counter()
torch._import_device_backends()
print(time.perf_counter() - began)
"""
SETTLE_SECONDS = 5
# Modules are compiled once, as in an installation, not at each start.
ENVIRONMENT = {name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"}


class Training:
    """A program that trains and is not ours."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", PROGRAM.format(device=DEVICE)]
        self._process = subprocess.Popen(
            command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid

    def longest_gap(self, since: float) -> float:
        """Seconds in which no thread of it ran, at most, since that `time.monotonic()`."""
        assert self._process.stdin
        assert self._process.stdout
        print(since, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def resident(self) -> int:
        """Its resident bytes."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def attach(pid: int) -> float:
    """Watch one step of it; returns the seconds from the command to its result."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "report.json")
        command = [VRAMTOP, "attach", str(pid), "--headless", "--steps", "1", "--output", str(file)]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        if done.returncode or not json.loads(file.read_text())[0]["kinds"]:
            raise SystemExit(done.stderr)
    return seconds


def attaching() -> None:
    """A training that somebody looks into again and again; the first time enters it."""
    training = Training()
    try:
        training.longest_gap(0)
        for number in range(1, ROUNDS + 1):
            before, began = training.resident(), time.monotonic()
            time.sleep(SETTLE_SECONDS)
            usual, began = training.longest_gap(began), time.monotonic()
            seconds = attach(training.pid)
            gap = training.longest_gap(began)
            print(
                f"attach {number}: {seconds:.2f} s to the result; it stood still for at most "
                f"{gap * 1000:.0f} ms (before that {usual * 1000:.0f} ms), and has "
                f"{(training.resident() - before) / 2**20:+.1f} MiB"
            )
    finally:
        training.end()


def importing() -> None:
    """The end of PyTorch's import, with an observer that waits and without one, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        ways = {"plain": ENVIRONMENT, "observed": environment(Path(folder, "nobody"), ENVIRONMENT)}
        took: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS + 1):
            for way, surroundings in ways.items():
                command = [sys.executable, "-c", IMPORT]
                done = subprocess.run(command, env=surroundings, capture_output=True, check=True)
                took[way].append(float(done.stdout))
    plain, observed = (median(took[way][1:]) * 1000 for way in ways)  # the first compiles modules
    print(f"the end of import torch: {plain:.1f} ms, with an observer {observed:.1f} ms")


if __name__ == "__main__":
    attaching()
    importing()
