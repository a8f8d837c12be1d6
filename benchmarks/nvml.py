"""What one round of questions to NVML costs, for 1 and for 8 GPUs.

The GPUs are simulated (tests/simgpu) and answer in almost no time, so this measures vramtop's own
part. This process holds memory on each of them, so that users and commands are looked up too.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from statistics import median

from monitors import machine
from vramtop.tui.gpus.readings import Reader
from vramtop.tui.gpus.sampler import SECONDS

ROUNDS = 500
TAIL = ROUNDS // 100


def measure(reader: Reader) -> tuple[list[float], float]:
    """Seconds that each round took, and seconds of the processor that one took on average."""
    waits = []
    used = time.process_time()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        reader.read()
        waits.append(time.perf_counter() - began)
    return sorted(waits), (time.process_time() - used) / ROUNDS


def one_round() -> None:
    """Print what a round costs on all GPUs."""
    reader = Reader()
    began = time.perf_counter()
    report = reader.read()
    first = time.perf_counter() - began
    if report.trouble is not None:
        sys.exit(report.trouble)
    waits, used = measure(reader)
    reader.close()
    print(
        f"{len(report.gpus)} GPUs, {ROUNDS} rounds: median {median(waits) * 1e6:.0f} µs, "
        f"99 of 100 within {waits[-TAIL - 1] * 1e6:.0f} µs, the first {first * 1e6:.0f} µs; "
        f"{used / SECONDS:.3%} of a core at a round every {SECONDS:g} s"
    )


if __name__ == "__main__":
    os.environ.update(machine())
    # pynvml loads a library of the same name and gets this one.
    libraries = os.environ["LD_LIBRARY_PATH"]
    ctypes.CDLL(f"{libraries}/libnvidia-ml.so.1", ctypes.RTLD_GLOBAL)
    for devices in (1, 8):
        os.environ["SIMGPU_DEVICES"] = str(devices)
        held = (f"{os.getpid()}:{device}:{2**30}" for device in range(devices))
        os.environ["SIMGPU_OTHERS"] = ",".join(held)
        one_round()
