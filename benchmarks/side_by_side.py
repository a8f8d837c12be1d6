"""Every number that vramtop, nvitop and gpustat all tell of the same machines, compared.

    python benchmarks/side_by_side.py PEERS

PEERS is a folder of commands in which nvitop, gpustat and their python lie, such as
/tmp/peers/bin. The machines are simulated (tests/simgpu): 1, 8 and 16 GPUs with 40 processes, one
that is split by MIG, unlike GPUs, a GPU that is lost. Each number of `vramtop gpus --format json`
is held against nvitop's (by its own API) and gpustat's (by `--json`). A difference that has no
reason here ends it with exit code 1. Then `vramtop gpus --once` is timed beside `nvitop -1`, in
turns on the same machines.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, TypeAlias

from monitors import machine
from screen import VRAMTOP

MIB, GIB = 2**20, 2**30
PROCESSES, TURNS = 40, 20
# What is called the same in both: `0.used`, or of a process `0.4711.used`.
Numbers: TypeAlias = dict[str, Any]

NVITOP = """
import json
from nvitop import NA, Device
found = {}
def known(value):
    return None if value is NA else value
def tell(name, of, fields):
    for field, value in fields.items():
        found[f"{name}.{field}"] = known(value)
def of_device(name, device, fields):
    tell(name, device, {
        "uuid": device.uuid(), "name": device.name(), "total": device.memory_total(),
        "used": device.memory_used(), "free": device.memory_free(), **fields,
    })
    for pid, process in device.processes().items():
        one = process.as_snapshot()
        tell(f"{name}.{pid}", one, {
            "used": one.gpu_memory, "type": one.type, "sm": one.gpu_sm_utilization,
            "bandwidth": one.gpu_memory_utilization, "user": one.username,
            "command": one.command, "resident": one.host_memory,
            "seconds": one.running_time_in_seconds, "cpu": one.cpu_percent,
        })
for device in Device.all():
    state, power = known(device.performance_state()), known(device.power_usage())
    cap = known(device.power_limit())
    of_device(str(device.index), device, {
        "bus": device.bus_id(), "gpu_utilization": device.gpu_utilization(),
        "memory_utilization": device.memory_utilization(), "encoder": device.encoder_utilization(),
        "decoder": device.decoder_utilization(), "temperature": device.temperature(),
        "power": power and power / 1000, "power_cap": cap and cap / 1000,
        "sm_clock": device.sm_clock(), "memory_clock": device.memory_clock(),
        "fan": device.fan_speed(), "performance_state": state and int(state[1:]),
        "ecc_errors": device.total_volatile_uncorrected_ecc_errors(),
    })
    for part in device.mig_devices():
        of_device(f"{device.index}.{part.mig_index}", part, {})
print(json.dumps(found))
"""
# gpustat's names for ours; it tells memory in MiB.
GPUSTAT = {
    "uuid": "uuid", "name": "name", "temperature": "temperature.gpu", "fan": "fan.speed",
    "gpu_utilization": "utilization.gpu", "encoder": "utilization.enc",
    "decoder": "utilization.dec", "power": "power.draw", "power_cap": "enforced.power.limit",
    "total": "memory.total", "used": "memory.used",
}  # fmt: skip
GPUSTAT_PROCESS = {
    "used": "gpu_memory_usage", "user": "username", "cpu": "cpu_percent",
    "resident": "cpu_memory_usage",
}  # fmt: skip
# Why a number may differ, by whose it is and how it is called.
_SPLIT = "NVML refuses it on a split GPU: ours is null, nvitop's 0"
_NAME = "the error stands in the place of the name; ours is null, and in `trouble`"
REASONS = {
    ("nvitop", "cpu"): "ours since the process started; nvitop's between two looks some ms apart",
    ("gpustat", "cpu"): "ours since the process started; gpustat's over a tenth of a second",
    ("nvitop", "command"): "nvitop puts quotes around words with spaces",
    ("nvitop", "sm"): _SPLIT,
    ("nvitop", "bandwidth"): _SPLIT,
    ("gpustat", "power"): "gpustat leaves out what is below a watt",
    ("nvitop", "name"): _NAME,
    ("gpustat", "name"): _NAME,
}


def ours(path: str) -> Numbers:
    """What vramtop tells."""
    del path
    printed = json.loads(output([VRAMTOP, "gpus", "--format", "json"]))
    found: Numbers = {}
    for gpu in printed["gpus"]:
        add(found, str(gpu["index"]), gpu)
        for part in gpu["instances"]:
            add(found, f"{gpu['index']}.{part['index']}", part)
    return found


def add(found: Numbers, name: str, gpu: dict[str, Any]) -> None:
    """Add the numbers of a GPU or an instance, and of its processes."""
    found |= {f"{name}.{field}": value for field, value in gpu.items()}
    for process in gpu["processes"] or ():
        found |= {f"{name}.{process['pid']}.{field}": value for field, value in process.items()}


def nvitop(path: str) -> Numbers:
    """What nvitop tells by its own API."""
    found: Numbers = json.loads(output([f"{path}/python", "-c", NVITOP]))
    return found


def gpustat(path: str) -> Numbers:
    """What `gpustat --json` tells."""
    found: Numbers = {}
    for gpu in json.loads(output([f"{path}/gpustat", "--json"]))["gpus"]:
        name = str(gpu["index"])
        for field, theirs in GPUSTAT.items():
            if theirs in gpu:
                size = MIB if theirs.startswith("memory.") else 1
                value = gpu[theirs]
                found[f"{name}.{field}"] = value * size if size > 1 and value else value
        for process in gpu["processes"] or ():
            for field, theirs in GPUSTAT_PROCESS.items():
                value = process[theirs]
                size = MIB if field == "used" else 1
                found[f"{name}.{process['pid']}.{field}"] = (
                    value and value * size if size > 1 else value
                )
    return found


def output(command: list[str]) -> str:
    """What a command prints; its failure ends this."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def same(field: str, mine: Any, theirs: Any) -> bool:  # noqa: ANN401 - of each field's type
    """Whether two values say the same; those that move may have moved."""
    if mine is None or theirs is None or isinstance(mine, str):
        return bool(mine == theirs)
    moved = {"seconds": 3, "resident": 2 * MIB, "power": 0.5}
    return bool(abs(mine - theirs) <= moved.get(field, 0))


def compare(title: str, path: str) -> bool:
    """Print how many numbers agree on this machine; whether each difference has a reason."""
    mine, fine = ours(path), True
    for whose, ask in (("nvitop", nvitop), ("gpustat", gpustat)):
        theirs = ask(path)
        known = {name for name, value in theirs.items() if value is not None}
        both = sorted(theirs.keys() & mine.keys())
        apart = [
            name for name in both if not same(name.rpartition(".")[2], mine[name], theirs[name])
        ]
        lacking = sorted(known - mine.keys())
        compared = Counter(name.rpartition(".")[2] for name in both)
        print(f"{title}, {whose}: {len(both) - len(apart)} of {len(both)} numbers agree "
              f"({len(compared)} kinds)")  # fmt: skip
        for field, count in Counter(name.rpartition(".")[2] for name in apart).items():
            example = next(name for name in apart if name.endswith(f".{field}"))
            reason = REASONS.get((whose, field))
            fine = fine and reason is not None
            print(f"  {count} × {field}, as {example}: ours {mine[example]!r}, "
                  f"theirs {theirs[example]!r}: {reason or 'NO REASON KNOWN'}")  # fmt: skip
        for name in lacking:
            fine = False
            print(f"  {name}: theirs {theirs[name]!r}, ours nothing: NO REASON KNOWN")
    return fine


@contextmanager
def processes(count: int) -> Iterator[list[int]]:
    """So many processes, one of which works all the time."""
    busy = [sys.executable, "-c", "while True: pass"]
    commands = [busy, *[["sleep", "1000"]] * (count - 1)]
    running = [subprocess.Popen(command) for command in commands]
    try:
        yield [process.pid for process in running]
    finally:
        for process in running:
            process.kill()


def spread(pids: list[int], places: list[str]) -> dict[str, str]:
    """Processes that hold memory in these places, and keep them busy."""
    held = [f"{pid}:{places[at % len(places)]}:{(at + 1) * MIB}" for at, pid in enumerate(pids)]
    shares = [
        f"{pid}:{places[at % len(places)].partition('.')[0]}:{at + 5}:{at}"
        for at, pid in enumerate(pids)
    ]
    held[-1] += ":G"
    held[1] = f"{pids[1]}:{places[1 % len(places)]}:n"
    return {"SIMGPU_OTHERS": ",".join(held), "SIMGPU_SHARES": ",".join(shares)}


def machines(pids: list[int]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each machine: what it is called, and its variables."""
    for count in (1, 8, 16):
        gpus = [str(gpu) for gpu in range(count)]
        yield f"{count} GPUs", {"SIMGPU_DEVICES": str(count), **spread(pids, gpus)}
    split = {"SIMGPU_DEVICES": "2", "SIMGPU_MIG": "0:3"}
    yield "split by MIG", split | spread(pids, ["0.0", "0.1", "0.2", "1"])
    unlike = {
        "SIMGPU_DEVICES": "3",
        "SIMGPU_TOTAL": f"{80 * GIB},{24 * GIB},{16 * GIB}",
        "SIMGPU_NAMES": "NVIDIA H100 80GB HBM3,NVIDIA GeForce RTX 4090,Tesla T4",
        "SIMGPU_VALUES": "temperature:0=31,temperature:1=83,power:1=449987,fan:1=67,fan:2=0,"
        "utilization:0=0,utilization:1=100,performance_state:2=8,ecc_uncorrected:2=3,"
        "encoder_utilization:1=12,throttle:1=0x4,clock_sm:0=345",
    }
    yield "unlike GPUs", unlike | spread(pids, ["0", "1", "2"])
    lost = {"SIMGPU_DEVICES": "3", "SIMGPU_FAULT": "nvmlDeviceGetHandleByIndex_v2:1=15"}
    yield "a lost GPU", lost | spread(pids, ["0", "2"])


def time_once(title: str, path: str) -> None:
    """Print how long each takes to print the machine once, in turns."""
    commands = {
        "vramtop gpus --once": [VRAMTOP, "gpus", "--once"],
        "nvitop -1": [f"{path}/nvitop", "-1"],
        "gpustat": [f"{path}/gpustat", "-a"],
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(TURNS):
        for name, command in commands.items():
            began = time.perf_counter()
            output(command)
            took[name].append(1000 * (time.perf_counter() - began))
    first, second, _ = took.values()
    faster = sum(one < other for one, other in zip(first, second, strict=True))
    medians = ", ".join(f"{name} {median(each):.0f} ms" for name, each in took.items())
    print(f"{title}: {medians}; sooner than nvitop in {faster} of {TURNS} turns")


if __name__ == "__main__":
    folder = sys.argv[1]
    base = {**os.environ, **machine(), "SIMGPU_OTHERS": ""}
    good = True
    with processes(PROCESSES) as started:
        time.sleep(2)  # so that all are loaded, and have run for a while
        for called, variables in machines(started):
            os.environ.clear()
            os.environ.update(base | variables)
            good = compare(called, folder) and good
            os.kill(started[0], signal.SIGSTOP)  # so that it takes no time from what is measured
            time_once(called, folder)
            os.kill(started[0], signal.SIGCONT)
    sys.exit(0 if good else 1)
