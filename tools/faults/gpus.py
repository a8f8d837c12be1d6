"""Faults of what is told of the GPUs' processes, and of what is printed once."""

from __future__ import annotations

from .fault import Fault

_PROCESSES = ("tests/tui/gpus/test_processes.py",)
_READINGS = ("tests/tui/gpus/test_readings.py",)
_ENTRANCES = ("tests/tui/programs/test_entrances.py",)

GPUS = (
    Fault(
        "a process's share of a core counts from its start for ever",
        "tui/gpus/processes.py",
        "    known.seconds, known.at = seconds, now\n",
        "",
        _PROCESSES,
    ),
    Fault(
        "another process of the same pid has the user and the command of the one before",
        "tui/gpus/processes.py",
        "if known is None or known.born != born:",
        "if known is None:",
        _PROCESSES,
    ),
    Fault(
        "ancestors come before their parents",
        "tui/gpus/processes.py",
        "for process in reversed(line))",
        "for process in line)",
        _PROCESSES,
    ),
    Fault(
        "a share that NVML refuses is 0",
        "tui/gpus/readings.py",
        "    if shares is None:\n        return gpu\n",
        "    shares = shares or {}\n",
        _READINGS,
    ),
    Fault(
        "the first sample of a process counts, not the last",
        "tui/gpus/nvml.py",
        "for sample in latest}",
        "for sample in reversed(latest)}",
        _READINGS,
    ),
    Fault(
        "a process that draws too only draws",
        "tui/gpus/readings.py",
        'types[pid] = "C+G" if pid in types else "G"',
        'types[pid] = "G"',
        _READINGS,
    ),
    Fault(
        "what a guest system takes of the cores counts twice",
        "tui/gpus/host.py",
        "seconds = sum(times) - within",
        "seconds = sum(times)",
        ("tests/tui/gpus/test_host.py",),
    ),
    Fault(
        "the socket that a killed program has left means that its successor is observed",
        "tui/programs/entrances.py",
        "return socket.stat().st_mtime > born - 1",
        "return socket.exists()",
        _ENTRANCES,
    ),
    Fault(
        "a process without PyTorch is never looked at again",
        "tui/programs/entrances.py",
        "seen.born != born or _may_have_changed(seen)",
        "seen.born != born",
        _ENTRANCES,
    ),
    Fault(
        "the maps of each process are read in each round",
        "tui/programs/entrances.py",
        "if seen is None or seen.born != born or _may_have_changed(seen):",
        "if True:",
        _ENTRANCES,
    ),
    Fault(
        "anybody's process can be looked into",
        "tui/programs/entrances.py",
        "        if os.geteuid() not in (uid, 0):\n",
        "        if os.geteuid() < 0:\n",
        _ENTRANCES,
    ),
    Fault(
        "the chief columns are left out first",
        "tui/headless/columns.py",
        "last = max(kept, key=lambda column: column.rank)",
        "last = min((each for each in kept if each.rank), key=lambda each: each.rank)",
        ("tests/tui/headless/test_columns.py",),
    ),
    Fault(
        "the table printed for `watch` is wider than its terminal",
        "tui/headless/gpus_once.py",
        'if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal():',
        "if sys.stdout.isatty():",
        ("tests/end_to_end/test_gpus_once.py",),
    ),
    Fault(
        "a machine without a GPU to ask prints an empty table and is fine",
        "tui/headless/gpus_once.py",
        "return FINE if report.trouble is None else FAILED",
        "return FINE",
        ("tests/end_to_end/test_gpus_once.py",),
    ),
    Fault(
        "printing the GPUs once imports what the screen needs",
        "tui/headless/gpus_once.py",
        "import os\nimport shutil\n",
        "import asyncio\nimport os\nimport shutil\n",
        ("tests/end_to_end/test_gpus_once.py",),
    ),
    Fault(
        "a field of the JSON is described nowhere",
        "protocol/gpus.py",
        "    swap_used: int | None = None\n",
        "    swap_used: int | None = None\n    uptime: float | None = None\n",
        ("tests/end_to_end/test_gpus_once.py",),
    ),
)
