"""What it costs a training to be observed.

    python benchmarks/observing.py [DEVICE] [ROUNDS] [SECONDS] [TRAINING ...]

A machine differs from itself, from one minute to the next, by more than what is to be measured. So
one training goes on, alone on a core, while somebody watches it for some seconds and then does not,
in turn; a ratio compares neighbours. `median step` leaves out the steps that are watched: it says
whether the others became slower, and is told best by many short rounds (60 of 1.5 s). `long steps`
says how much time the watched ones took beyond what a step takes within the same second, and is
told best by long rounds (4 of 40 s). `processor time` is that of all the training's threads: what
other processes take of the core does not count there. While nobody watches, all that the observer
does is what its own threads do, which the system counts in nanoseconds.

First three short trainings of equal length must end with equal weights, to the bit: plain, with an
observer that sleeps, and watched; otherwise the benchmark ends with an error. A simulated GPU
computes no real numbers, so the weights are not compared there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from bisect import bisect_left
from itertools import pairwise
from math import sqrt
from pathlib import Path
from statistics import mean, median, stdev
from typing import NamedTuple

from trainings import TRAININGS
from vramtop.tui.programs.launch import environment

DEVICE = (sys.argv[1:2] or ["cpu"])[0]
ROUNDS = int((sys.argv[2:3] or ["10"])[0])
SECONDS = float((sys.argv[3:4] or ["15"])[0])
NAMES = sys.argv[4:] or list(TRAININGS)
PROGRAM = str(Path(__file__).with_name("trainings.py"))
VRAMTOP = str(Path(sys.executable).with_name("vramtop"))
CORE, OTHER_CORE = "0", {1}
EQUAL_STEPS, WITHOUT_END = 300, 10**9
WARM_SECONDS = 10
LONG = 1.2  # times the median step of the same second; a watched step takes longer than that


class Window(NamedTuple):
    """When it began and ended, by `time.monotonic()`; what share of a core threads took that are
    not the training's; and what watching cost by its own measurement."""

    begin: float
    end: float
    others: float
    share: float | None = None


class Steps(NamedTuple):
    """At the end of each step the clock, and the processor time that the training had had."""

    ends: array[float]
    ran: array[float]

    def within(self, window: Window) -> Steps:
        """Those that ended in a window."""
        part = slice(bisect_left(self.ends, window.begin), bisect_left(self.ends, window.end))
        return Steps(self.ends[part], self.ran[part])


def command(name: str, steps: int, times: Path) -> list[str]:
    """The command of a training."""
    return [sys.executable, PROGRAM, name, DEVICE, str(steps), CORE, str(times)]


def surroundings(folder: Path, *, observed: bool) -> dict[str, str]:
    """The environment of a training; an observer in it waits for monitors, and nobody calls."""
    given = {**os.environ, "OMP_NUM_THREADS": "1"}
    return environment(folder / "nobody", given) if observed else given


def digests(name: str, folder: Path) -> list[str]:
    """The weights at the end of a plain, a sleeping and a watched training."""
    times = folder / "times"
    plain = command(name, EQUAL_STEPS, times)
    watch = [VRAMTOP, "run", "--headless", "--output", str(folder / "report.json"), "--"]
    found = []
    for words, observed in ((plain, False), (plain, True), ([*watch, *plain], False)):
        environ = surroundings(folder, observed=observed)
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr}")
        found.append(done.stdout.split()[-1])
    return found


def others(pid: int) -> int:
    """Nanoseconds that all threads have run, but the main one and PyTorch's for backward passes."""
    tasks = (each for each in Path(f"/proc/{pid}/task").iterdir() if each.name != str(pid))
    ours = (each for each in tasks if not each.joinpath("comm").read_text().startswith("pt_"))
    return sum(int(each.joinpath("schedstat").read_text().split()[0]) for each in ours)


def unwatched(pid: int) -> Window:
    """Some seconds in which nobody watches."""
    begin, ran = time.monotonic(), others(pid)
    time.sleep(SECONDS)
    end = time.monotonic()
    return Window(begin, end, (others(pid) - ran) / 1e9 / (end - begin))


def has_split(report: Path) -> bool:
    """Whether a first step was watched. The report is empty until its monitor is ready."""
    text = report.read_text() if report.exists() else ""
    return bool(text) and bool(json.loads(text))


def watched(pid: int, report: Path) -> Window:
    """As many seconds in which somebody does, from the first watched step on."""
    report.unlink(missing_ok=True)
    attach = [VRAMTOP, "attach", str(pid), "--headless", "--output", str(report)]
    monitor = subprocess.Popen(attach, stderr=subprocess.DEVNULL)
    while not has_split(report):
        if monitor.poll() is not None:
            raise SystemExit("no step was watched")
        time.sleep(0.05)
    begin, ran = time.monotonic(), others(pid)
    time.sleep(SECONDS)
    end = time.monotonic()
    ran = others(pid) - ran
    monitor.send_signal(signal.SIGINT)
    monitor.wait()
    (found,) = json.loads(report.read_text())
    return Window(begin, end, ran / 1e9 / (end - begin), found["watching_share"])


def compare(name: str) -> None:
    """Watch a training and do not, in turn, and print the ratios."""
    os.sched_setaffinity(0, OTHER_CORE)  # that of the monitors too
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        if len({*digests(name, folder)}) > 1 and DEVICE == "cpu":
            raise SystemExit(f"{name}: watched or not, the weights differ")
        times = folder / "times"
        training = subprocess.Popen(
            command(name, WITHOUT_END, times),
            env=surroundings(folder, observed=True),
            stdout=subprocess.DEVNULL,
        )
        time.sleep(WARM_SECONDS)
        pairs = [
            (unwatched(training.pid), watched(training.pid, folder / "report.json"))
            for _ in range(ROUNDS)
        ]
        last = unwatched(training.pid)
        training.send_signal(signal.SIGUSR2)
        training.wait()
        both = array("d", times.read_bytes())
    steps = Steps(both[: len(both) // 2], both[len(both) // 2 :])
    print(f"{name} on {DEVICE}: {len(steps.ends):,} steps, {ROUNDS} rounds of {SECONDS:g} s")
    before = [pair[0] for pair in pairs]
    after = [*before[1:], last]
    for what, measure in (
        ("steps a second", rate),
        ("steps a second of processor time", processor_rate),
        ("median step", step_rate),
    ):
        # A watched window lies between two others, whose mean is without a drift of the machine.
        ratios = [
            2 * measure(steps, seen) / (measure(steps, one) + measure(steps, other))
            for one, (_, seen), other in zip(before, pairs, after, strict=True)
        ]
        noise = [measure(steps, b) / measure(steps, a) for a, b in zip(before, after, strict=True)]
        print(f"  watched / not watched, by {what}: {words(ratios)}; noise {words(noise)}")
    shares = [seen.share or 0.0 for _, seen in pairs]
    long = [mean(excess(steps, each[at]) for each in pairs) for at in (0, 1)]
    print(
        f"  watching by its own measurement: {mean(shares):.2%} of the time; by the training's "
        f"clock its long steps took {long[1]:.2%}, and {long[0]:.2%} where nobody watched"
    )
    asleep, awake = (mean(each[at].others for each in pairs) for at in (0, 1))
    print(f"  threads besides the training's: {asleep:.4%} of a core asleep, {awake:.2%} watched")


def rate(steps: Steps, window: Window) -> float:
    """Steps a second in a window."""
    ends = steps.within(window).ends
    return (len(ends) - 1) / (ends[-1] - ends[0])


def processor_rate(steps: Steps, window: Window) -> float:
    """Steps a second of the training's processor time in a window."""
    ran = steps.within(window).ran
    return (len(ran) - 1) / (ran[-1] - ran[0])


def step_rate(steps: Steps, window: Window) -> float:
    """The reciprocal of the median step's seconds."""
    return 1 / median(b - a for a, b in pairwise(steps.within(window).ends))


def excess(steps: Steps, window: Window) -> float:
    """The share of the time by which long steps took longer than the median one of their second."""
    took = [b - a for a, b in pairwise(steps.within(window).ends)]
    beyond, whole, at = 0.0, sum(took), 0
    while at < len(took):
        second, length = [], 0.0
        while at < len(took) and length < 1:
            second.append(took[at])
            length += took[at]
            at += 1
        usual = median(second)
        beyond += sum(each - usual for each in second if each > LONG * usual)
    return beyond / whole


def words(ratios: list[float]) -> str:
    """Their mean with its standard error, and their median."""
    error = stdev(ratios) / sqrt(len(ratios)) if len(ratios) > 1 else float("nan")
    return f"{mean(ratios):.4f} ± {error:.4f} (median {median(ratios):.4f})"


if __name__ == "__main__":
    for each in NAMES:
        compare(each)
