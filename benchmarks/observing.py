"""What it costs a training to be observed: plain, with an observer that sleeps, and watched.

    python benchmarks/observing.py [DEVICE] [ROUNDS] [SECONDS]

Each training runs as a process of its own, the three ways in turn, round after round; a ratio
compares the runs of one round. All take the same number of steps, so their weights must be equal to
the bit; otherwise the benchmark ends with an error. A simulated GPU computes no real
numbers, so the weights are not compared there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TypedDict

from trainings import TRAININGS
from vramtop.tui.programs.launch import environment

DEVICE = (sys.argv[1:2] or ["cpu"])[0]
ROUNDS = int((sys.argv[2:3] or ["3"])[0])
SECONDS = float((sys.argv[3:4] or ["30"])[0])
PROGRAM = str(Path(__file__).with_name("trainings.py"))
VRAMTOP = str(Path(sys.executable).with_name("vramtop"))
PROBE_STEPS = 200
WAYS = ("plain", "sleeping", "watched")


class Run(TypedDict):
    """Seconds, seconds of the processor, and the digest of the weights of one run."""

    wall: float
    cpu: float
    digest: str


def run(name: str, way: str, steps: int, report: Path) -> Run:
    """One training, this way; a watched one leaves its report in a file."""
    command = [sys.executable, PROGRAM, name, DEVICE, str(steps)]
    # Threads of PyTorch that wait for a core would hide what watching costs.
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    if way == "watched":
        options = ["--headless", "--format", "json", "--output", str(report)]
        command = [VRAMTOP, "run", *options, "--", *command]
    elif way == "sleeping":
        # It waits for monitors; nobody calls.
        surroundings = environment(report.with_name("nobody"), surroundings)
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}, {way}: {done.stderr}")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    result: Run = json.loads(lines[-1])
    return result


def compare(name: str) -> None:
    """Run a training in all ways, and print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        probe = run(name, "plain", PROBE_STEPS, report)
        steps = max(PROBE_STEPS, int(SECONDS / probe["wall"] * PROBE_STEPS))
        rounds = []
        watched: list[tuple[int, float]] = []
        for _ in range(ROUNDS):
            rounds.append({way: run(name, way, steps, report) for way in WAYS})
            (program,) = json.loads(report.read_text())
            watched.append((program["watched"], program["watching_share"]))
    digests = {each["digest"] for ways in rounds for each in ways.values()}
    if len(digests) > 1 and DEVICE == "cpu":
        raise SystemExit(f"{name}: watched or not, the weights differ")
    print(
        f"{name} on {DEVICE}: {steps:,} steps, {ROUNDS} rounds; weights equal: {len(digests) == 1}"
    )
    for way in WAYS[1:]:
        for unit in ("wall", "cpu"):
            ratios = sorted(ways["plain"][unit] / ways[way][unit] for ways in rounds)  # type: ignore[literal-required]
            print(
                f"  {way} / plain, by {unit}: {median(ratios):.4f} "
                f"({ratios[0]:.4f} to {ratios[-1]:.4f})"
            )
    for count, share in watched:
        print(f"  {count} watched steps, by its own measurement {share:.2%} of the time")


if __name__ == "__main__":
    for each in TRAININGS:
        compare(each)
