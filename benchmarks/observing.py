"""What it costs a training to be observed: plain, with an observer that sleeps, and watched.

    python benchmarks/observing.py [DEVICE] [ROUNDS] [SECONDS] [TRAINING ...]

A machine differs from itself, from one minute to the next, by more than what is to be measured. So
two trainings run at once, each on a core of its own: a plain one, and beside it one that is
watched, or whose observer sleeps, or another plain one, which shows how far the method can be
trusted. In each round both change cores. A ratio is the geometric mean of a round's two pairs.

All take the same number of steps, so their weights must be equal to the bit; otherwise the
benchmark ends with an error. A simulated GPU computes no real numbers, so the weights are not
compared there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from math import sqrt
from pathlib import Path
from statistics import mean, median, stdev
from typing import TypedDict

from trainings import TRAININGS
from vramtop.tui.programs.launch import environment

DEVICE = (sys.argv[1:2] or ["cpu"])[0]
ROUNDS = int((sys.argv[2:3] or ["3"])[0])
SECONDS = float((sys.argv[3:4] or ["30"])[0])
NAMES = sys.argv[4:] or list(TRAININGS)
PROGRAM = str(Path(__file__).with_name("trainings.py"))
VRAMTOP = str(Path(sys.executable).with_name("vramtop"))
PROBE_STEPS = 200
CORES = (0, 1)
WAYS = ("plain", "sleeping", "watched")


class Run(TypedDict):
    """Seconds, seconds of the processor, and the digest of the weights of one run."""

    wall: float
    cpu: float
    digest: str


def start(name: str, way: str, steps: int, core: int, report: Path) -> subprocess.Popen[str]:
    """Start one training, this way; a watched one leaves its report in a file."""
    command = [sys.executable, PROGRAM, name, DEVICE, str(steps), str(core)]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    if way == "watched":
        options = ["--headless", "--format", "json", "--output", str(report)]
        command = [VRAMTOP, "run", *options, "--", *command]
    elif way == "sleeping":
        # It waits for monitors; nobody calls.
        surroundings = environment(report.with_name("nobody"), surroundings)
    return subprocess.Popen(
        command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def result(started: subprocess.Popen[str]) -> Run:
    """Wait for its end."""
    output, errors = started.communicate()
    if started.returncode:
        raise SystemExit(f"{started.args}: {errors}")
    lines = [line for line in output.splitlines() if line.startswith("{")]
    run: Run = json.loads(lines[-1])
    return run


def pair(name: str, way: str, steps: int, core: int, report: Path) -> tuple[Run, Run]:
    """A plain run, and beside it one of this way on that core."""
    (other,) = {*CORES} - {core}
    observed = start(name, way, steps, core, report)
    plain = start(name, "plain", steps, other, report)
    return result(plain), result(observed)


def compare(name: str) -> None:
    """Run a training in all ways, and print the ratios."""
    ratios: dict[tuple[str, str], list[float]] = {}
    watched: list[tuple[int, float]] = []
    digests = set[str]()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        probe, _ = pair(name, "plain", PROBE_STEPS, CORES[0], report)
        steps = max(PROBE_STEPS, int(SECONDS / probe["wall"] * PROBE_STEPS))
        for way in WAYS * ROUNDS:
            pairs = [pair(name, way, steps, core, report) for core in CORES]
            digests |= {run["digest"] for runs in pairs for run in runs}
            for unit in ("wall", "cpu"):
                one, other = (plain[unit] / seen[unit] for plain, seen in pairs)  # type: ignore[literal-required]
                ratios.setdefault((way, unit), []).append(sqrt(one * other))
            if way == "watched":
                (program,) = json.loads(report.read_text())
                watched.append((program["watched"], program["watching_share"]))
    if len(digests) > 1 and DEVICE == "cpu":
        raise SystemExit(f"{name}: watched or not, the weights differ")
    print(
        f"{name} on {DEVICE}: {steps:,} steps, {ROUNDS} rounds; weights equal: {len(digests) == 1}"
    )
    for (way, unit), found in ratios.items():
        error = stdev(found) / sqrt(len(found)) if len(found) > 1 else float("nan")
        print(
            f"  {way} / plain, by {unit}: mean {mean(found):.4f} ± {error:.4f}, "
            f"median {median(found):.4f} ({min(found):.4f} to {max(found):.4f})"
        )
    for count, share in watched:
        print(f"  {count} watched steps, by its own measurement {share:.2%} of the time")


if __name__ == "__main__":
    for each in NAMES:
        compare(each)
