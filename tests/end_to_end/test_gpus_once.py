"""The GPUs printed once by the installed command, on simulated machines."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from command import VRAMTOP, vramtop
from simulation import DRIVER_RESERVED, GIB
from terminal import Terminal
from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport, Host

OTHER = 5_000_001  # no process of this machine has a pid as high as this
DOCS = Path(__file__).parents[2] / "docs" / "gpus-json.md"
SLOW = ("torch", "textual", "rich", "asyncio")


@contextmanager
def sleeping():
    """A process that waits, below one that has started it and waits too."""
    script = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    command = [sys.executable, "-c", script]
    with psutil.Popen(command, stdout=subprocess.PIPE) as launcher:
        child = psutil.Process(int(launcher.stdout.readline()))
        try:
            yield launcher, child
        finally:
            for each in (child, launcher):
                with suppress(psutil.NoSuchProcess):
                    each.kill()


def test_json_has_all_gpus_and_processes_in_bytes(simgpu):
    with sleeping() as (launcher, child):
        machine = simgpu.environment(
            devices=2,
            others=f"{child.pid}:0:{3 * GIB},{OTHER}:1:n",
            shares=f"{child.pid}:0:62:30",
            faults="nvmlDeviceGetPowerUsage:1=3",
        )
        result = vramtop("gpus", "--format", "json", env=machine)
        assert (result.returncode, result.stderr) == (0, "")
        printed = json.loads(result.stdout)
        first, second = printed["gpus"]
        assert (first["total"], first["reserved"]) == (8 * GIB, DRIVER_RESERVED)
        assert (first["used"], first["free"]) == (3 * GIB, 5 * GIB - DRIVER_RESERVED)
        assert (first["power"], second["power"]) == (217.0, None)
        assert second["refused"]["power"] == "Not Supported"
        (ours,), (foreign,) = first["processes"], second["processes"]
        assert (ours["pid"], ours["used"], ours["sm"], ours["type"]) == (
            child.pid,
            3 * GIB,
            62,
            "C",
        )
        assert (ours["parent"], ours["inside"]) == (launcher.pid, "impossible")
        assert (foreign["pid"], foreign["used"], foreign["user"]) == (OTHER, None, None)
        assert printed["ancestors"][-1]["pid"] == launcher.pid
        assert printed["host"]["total"] == psutil.virtual_memory().total
        assert "type" not in printed


def test_the_json_is_described_field_by_field(simgpu):
    """Each field that is printed has a line in the description, and no other has."""
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    described = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    kinds = (GpusReport, Gpu, GpuProcess, Host)
    assert described == {"time", *(name for kind in kinds for name in kind.__struct_fields__)}
    printed = json.loads(vramtop("gpus", "--format", "json", env=simgpu.environment()).stdout)
    assert printed.keys() == {"time", *GpusReport.__struct_fields__}


def test_a_pipe_gets_a_table_without_colours_and_watch_one_that_fits(simgpu):
    with sleeping() as (_, child):
        machine = simgpu.environment(others=f"{child.pid}:0:{3 * GIB}")
        machine.pop("COLUMNS", None)
        whole = vramtop("gpus", "--once", env=machine).stdout
        assert "\x1b" not in whole
        assert str(child.pid) in whole
        assert f"{sys.executable} -c input()" in whole
        narrow = vramtop("gpus", "--once", env=machine | {"COLUMNS": "70"}).stdout
        assert max(map(len, narrow.splitlines())) <= 70
        assert str(child.pid) in narrow


def test_a_terminal_gets_a_table_as_wide_as_it_is(simgpu):
    machine = simgpu.environment(others=f"{OTHER}:0:{3 * GIB}")
    terminal = Terminal(80, 24, "gpus", "--once", environment=machine)
    terminal.wait_for(rf"0 +{OTHER} +N/A +C +3\.00G")
    terminal.wait_for("0 +Simulated X100-0 +37%")
    terminal.child.wait()
    assert terminal.child.exitstatus == 0


def test_a_lost_gpu_keeps_its_line_and_the_others_their_readings(simgpu):
    machine = simgpu.environment(devices=3, faults="nvmlDeviceGetTemperature:1=15")
    result = vramtop("gpus", "--once", env=machine)
    assert result.returncode == 0
    lines = [line for line in result.stdout.splitlines() if "Simulated" in line]
    assert [("37%" in line, "the GPU is lost" in line) for line in lines] == [
        (True, False),
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize("form", ["table", "json"])
def test_without_a_driver_it_says_so_and_fails(form):
    result = vramtop("gpus", "--once", "--format", form)
    assert result.returncode == 1
    assert result.stderr == "vramtop: no NVIDIA driver here\n"
    if form == "json":
        assert json.loads(result.stdout)["trouble"] == "no NVIDIA driver here"
    else:
        assert result.stdout == ""


def test_a_reader_that_has_gone_is_no_error(simgpu):
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen(
        [VRAMTOP, "gpus", "--once"], env=simgpu.environment(), stdout=write, stderr=subprocess.PIPE
    ) as process:
        os.close(write)
        assert process.communicate()[1] == b""
        assert process.returncode == 0


def test_it_imports_little(simgpu):
    """`watch` starts it anew every other second."""
    script = (
        "import sys\n"
        "from vramtop.tui.cli.main import main\n"
        "code = main(['gpus', '--once'])\n"
        f"print(code, [name for name in {SLOW} if name in sys.modules])"
    )
    printed = simgpu.run(script, simgpu.environment())
    assert printed.splitlines()[-1] == "0 []"
