"""`vramtop run --headless` from the command line, with real programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command import TIMEOUT_SECONDS, VRAMTOP, vramtop

if TYPE_CHECKING:
    from simulation import SimulatedGpu

FLOAT, LONG = 4, 8
IN, HIDDEN, OUT, BATCH = 20, 30, 5, 16
P = FLOAT * (IN * HIDDEN + HIDDEN + HIDDEN * OUT + OUT)
TRAIN = f"""
import sys, torch
from torch import nn
device = sys.argv[1]
kept = torch.zeros(1000).to(device)
model = nn.Sequential(nn.Linear({IN}, {HIDDEN}), nn.ReLU(), nn.Linear({HIDDEN}, {OUT})).to(device)
optimizer = torch.optim.Adam(model.parameters())
for _ in range(int(sys.argv[2])):
    inputs, targets = torch.ones({BATCH}, {IN}), torch.zeros({BATCH}, dtype=torch.long)
    loss = nn.functional.cross_entropy(model(inputs.to(device)), targets.to(device))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
print("trained", sys.stdin.read(), end="")
"""
RUNS_OUT = """
import torch
from torch import nn
model = nn.Sequential(nn.Linear(1024, 1024, bias=False), nn.Linear(1024, 1 << 20, bias=False))
model[0].cuda()
model.cuda()
"""
ONE_LONG_SEQUENCE = """
import torch
from torch import nn
embedding = nn.Embedding(100, 1024).cuda()
optimizer = torch.optim.SGD(embedding.parameters(), 0.1)
for step in range(5):
    length = 128 if step < 4 else 1 << 17
    embedding(torch.zeros(8, length, dtype=torch.int64, device="cuda")).square().mean().backward()
    optimizer.step()
"""
KILLED = "import os, torch; torch.nn.Linear(1, 1); os.kill(os.getpid(), 9)"


@pytest.fixture(autouse=True)
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of sockets, which is empty once all programs have ended."""
    with tempfile.TemporaryDirectory(prefix="vt", dir="/tmp") as folder:
        monkeypatch.setenv("VRAMTOP_SOCKETS", f"{folder}/s")
        yield
        assert not [*Path(folder).glob("s/run-*")]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    return tmp_path / "train.py"


def until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait for a condition while the process runs."""
    latest = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < latest
        time.sleep(0.02)


def split_of(kind: dict, moment: str) -> dict:
    return {name: size for name, size in kind["boundaries"][moment].items() if size}


def test_a_program_of_three_steps_is_split_and_keeps_its_streams_and_its_error(
    script: Path, tmp_path: Path
) -> None:
    script.write_text(TRAIN + "raise SystemExit(7)")
    command = ("run", "--headless", "--output", str(tmp_path / "o"), sys.executable, str(script))
    done = subprocess.run(
        [VRAMTOP, *command, "cpu", "3"],
        check=False, input="typed\n", capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (7, "trained typed\n")
    (report,) = json.loads((tmp_path / "o").read_text())
    assert (report["program"], report["device"], report["rank"]) == ("train.py", "cpu", None)
    assert (report["steps"], report["watched"]) == (3, 1)
    (kind,) = report["kinds"]
    fixed = {"parameters": P, "optimizer_state": 2 * P + 4 * FLOAT}
    batch = BATCH * (IN * FLOAT + LONG)
    assert split_of(kind, "load") == {**fixed, "batch_data": batch, "activations": FLOAT}
    assert kind["high_water"]["gradients"] == P
    assert kind["inputs"] == [{"dtype": "float32", "shape": [BATCH, IN]}]
    assert kind["allocator"] is None
    (shape,) = report["shapes"]["seen"]
    assert (shape["inputs"], shape["watched"]) == (kind["inputs"], 1)
    assert (shape["peak"], shape["first_step"]) == (kind["peak"]["bytes"], 3)
    assert report["room"] is None  # of a CPU there is none
    lines = done.stderr.splitlines()
    assert lines[0].startswith("train.py · pid ")
    assert "Parameters" in done.stderr
    assert f"{P:,}" in done.stderr
    assert "\x1b" not in done.stderr


def test_ranks_on_gpus_are_reported_in_order_to_the_byte(
    script: Path, tmp_path: Path, simgpu
) -> None:
    script.write_text(
        "import os, sys, torch.distributed\n"
        "torch.distributed.init_process_group('gloo')\n"
        "sys.argv[1:] = ['cuda:' + os.environ['LOCAL_RANK'], '3']\n"
        + TRAIN.replace(
            "optimizer =", "model = nn.parallel.DistributedDataParallel(model)\noptimizer =", 1
        )
        + "torch.distributed.destroy_process_group()\n"
    )
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
    done = vramtop(
        "run", "--headless", "--output", str(tmp_path / "o"), "--", *torchrun, str(script),
        env={**os.environ, **simgpu.environment(devices=2)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained") == 2
    reports = json.loads((tmp_path / "o").read_text())
    assert [(each["rank"], each["world_size"], each["device"]) for each in reports] == [
        (0, 2, "cuda:0"), (1, 2, "cuda:1"),
    ]  # fmt: skip
    for report in reports:
        (kind,) = report["kinds"]
        assert kind["unattributed"] == 0
        assert kind["high_water"]["parameters"] == kind["high_water"]["gradients"] == P
        kept = next(held for held in report["other"] if held["bytes"] == 1000 * FLOAT)
        assert kept["line"].startswith("train.py:")
    assert "rank  device" in done.stderr
    assert "Highest peak: train.py" in done.stderr


def test_a_signal_is_passed_on_and_each_watched_step_was_a_line(
    script: Path, tmp_path: Path
) -> None:
    script.write_text(
        "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n" + TRAIN
    )
    lines = tmp_path / "o"
    options = ("run", "--headless", "--output", str(lines), "--format", "jsonl")
    with subprocess.Popen(
        [VRAMTOP, *options, sys.executable, str(script), "cpu", "1000000000"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            until(lambda: lines.exists() and lines.read_text(), process)
            process.send_signal(signal.SIGTERM)
            _, complaints = process.communicate(timeout=TIMEOUT_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 5
    for line in lines.read_text().splitlines():
        assert json.loads(line)["kinds"][0]["high_water"]["parameters"] == P
    assert "Parameters" in complaints


def test_a_monitor_that_is_killed_leaves_what_was_watched(script: Path, tmp_path: Path) -> None:
    command = ("run", "--headless", "--output", str(tmp_path / "o"), sys.executable, str(script))
    process = subprocess.Popen(
        [VRAMTOP, *command, "cpu", "1000000000"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        told: list[dict] = []
        while not told:
            assert process.poll() is None
            with suppress(FileNotFoundError):
                told = json.loads((tmp_path / "o").read_text())
            time.sleep(0.05)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        (report,) = json.loads((tmp_path / "o").read_text())
        assert report["kinds"][0]["high_water"]["parameters"] == P
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        for socket in Path(os.environ["VRAMTOP_SOCKETS"]).iterdir():
            socket.unlink()  # who is killed leaves its own behind


@pytest.mark.parametrize(
    ("command", "code", "line"),
    [
        (
            ["sh", "-c", "exit 3"],
            3,
            "nothing to show: no process of the command worked with PyTorch, or it had another "
            "environment (env -i, sudo, python -I); vramtop attach works then",
        ),
        (["no-such"], 127, "no-such: no such command"),
        (
            [sys.executable, "-I", "-c", "raise SystemExit(3)"],
            3,
            "python -I ignores PYTHONPATH, which keeps the observer out; vramtop attach works",
        ),
        (
            [sys.executable, "-c", "import torch; torch.nn.Linear(1, 1); raise SystemExit(3)"],
            3,
            "python ended before a step of it was watched: "
            "it made no step, and no call without gradients, from beginning to end",
        ),
    ],
)
def test_why_nothing_was_watched_is_one_line(command: list[str], code: int, line: str) -> None:
    done = vramtop("run", "--headless", *command)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"vramtop: {line}\n")
    assert [*Path(os.environ["VRAMTOP_SOCKETS"]).glob("run-*")] == []


def run_out(
    script: Path, machine: Mapping[str, str]
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """What is said of a program that ends for want of memory, and its result."""
    output = script.with_name("o")
    command = (sys.executable, str(script))
    done = vramtop("run", "--headless", "--output", str(output), *command, env=machine)
    assert done.returncode == 1
    (report,) = json.loads(output.read_text())
    return done, report


def test_a_program_that_runs_out_of_memory_before_its_first_step_is_told_why(
    simgpu: SimulatedGpu, script: Path
) -> None:
    script.write_text(RUNS_OUT)
    machine = simgpu.environment(total=5 * 2**30, devices=1)
    done, report = run_out(script, machine)
    found = report["out_of_memory"]
    assert (report["device"], report["kinds"], found["count"]) == ("cuda:0", [], 1)
    assert (found["wanted"], found["line"]) == (2**32, "train.py:6")
    assert (found["in_use"], found["parameters"], found["rest"]) == (2**22, 2**22, 0)
    assert [each["name"] for each in found["largest"]] == ["0.weight"]
    its_own, _, ours = done.stderr.partition("train.py · pid")
    assert "OutOfMemoryError" in its_own
    assert "Out of memory on cuda:0: 4.00 GiB wanted, 3.90 GiB free.\nWhere: train.py:6\n" in ours


def test_a_program_that_runs_out_beside_another_process_is_told_which_and_how_much_it_holds(
    simgpu: SimulatedGpu, script: Path
) -> None:
    script.write_text(RUNS_OUT)
    total, held = 8 * 2**30, 9 * 2**29
    # It draws too, so that two of NVML's lists have it; one that holds other memory is not there.
    machine = simgpu.environment(total=total, devices=2, others=f"77:0:{held},78:1:{held}")
    done, report = run_out(script, machine)
    found = report["out_of_memory"]
    assert [(each["pid"], each["bytes"]) for each in found["others"]] == [(77, held)]
    assert {"remedy": "others", "bytes": found["outside"]} in found["suggestions"]
    assert found["outside"] == held + (510 + 600) * 2**20  # a context, and the driver
    assert "Other processes then: 4.50 GiB of " in done.stderr
    assert "(pid 77)" in done.stderr or "of pid 77" in done.stderr


def test_one_long_sequence_is_told_with_its_shape_and_that_of_the_steps_before(
    simgpu: SimulatedGpu, script: Path
) -> None:
    script.write_text(ONE_LONG_SEQUENCE)
    machine = simgpu.environment(total=5 * 2**30, devices=1)
    done, report = run_out(script, machine)
    found = report["out_of_memory"]
    assert (found["steps"], found["phase"], found["line"]) == (4, "forward", "train.py:8")
    assert found["inputs"] == [{"dtype": "int64", "shape": [8, 1 << 17]}]
    assert report["shapes"]["seen"][0]["inputs"] == [{"dtype": "int64", "shape": [8, 128]}]
    text = " ".join(done.stderr.split())
    assert "When: in forward, after 4 steps, of int64 8 × 131,072" in text
    assert "Its inputs are 1,024.0 times the largest of " in text
    assert "watched before, int64 8 × 128." in text


def test_a_program_that_was_killed_is_said_to_be_and_the_next_look_removes_its_socket() -> None:
    done = vramtop("run", "--headless", sys.executable, "-c", KILLED)
    line = "vramtop: python was killed, or hung up, before a step of it was watched\n"
    assert (done.returncode, done.stdout, done.stderr) == (137, "", line)
    assert vramtop("attach").returncode == 0


def test_torchs_switch_keeps_the_observer_out_and_that_is_said() -> None:
    environment = {**os.environ, "TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}
    done = vramtop("run", "--headless", "true", env=environment)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "TORCH_DEVICE_BACKEND_AUTOLOAD is 0" in done.stderr


def test_a_program_runs_where_nothing_can_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VRAMTOP_SOCKETS", "/dev/null/s")
    done = vramtop("run", "--headless", "echo", "ran")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert done.stderr.startswith("vramtop: nothing is watched: /dev/null/s")


def test_a_file_that_cannot_be_written_is_said_before_the_program_starts() -> None:
    done = vramtop("run", "--headless", "--output", "/nonexistent/o", "echo", "ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "vramtop: cannot write /nonexistent/o: No such file or directory\n"


def test_a_program_that_runs_is_looked_into_and_goes_on(script: Path) -> None:
    script.write_text(TRAIN.replace("device =", "print('imported', flush=True)\ndevice =", 1))
    with subprocess.Popen(
        [sys.executable, str(script), "cpu", "1000000000"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "imported\n"
            listed = json.loads(vramtop("attach", "--format", "json").stdout)
            (seen,) = (each for each in listed if each["pid"] == program.pid)
            assert seen["observed"] is False
            assert str(script) in seen["command"]
            done = vramtop("attach", str(program.pid), "--steps", "1", "--format", "json")
            if "gdb" in done.stderr or "trace" in done.stderr:
                pytest.skip(done.stderr)
            assert (done.returncode, done.stderr) == (0, "")
            (report,) = json.loads(done.stdout)
            assert report["kinds"][0]["high_water"]["parameters"] == P
            assert program.poll() is None
            assert "yes" in vramtop("attach").stdout
        finally:
            program.kill()
    gone = vramtop("attach", str(program.pid))
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr == f"vramtop: there is no process {program.pid}\n"
