"""A driver with which CUDA does not start: the CPU trains, and the reason is given."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.headless.run import WorkerFailed, follow
from vramtop.tui.headless.train import headless
from vramtop.tui.worker import process
from vramtop.tui.worker.process import start_worker

if TYPE_CHECKING:
    from simulation import SimulatedGpu

OLD = "NVIDIA driver too old: CUDA 12.2 < 13.0"
ERROR = "CUDA error"
# CUDA starts in a child of a process that has imported PyTorch, on each of some machines.
LOOK = """
import json, os, sys
from vramtop.trainer.device.devices import describe, resolve
from vramtop.protocol.lesson.settings import SettingError
for machine in json.loads(sys.argv[1]):
    if not (child := os.fork()):
        os.environ.update(machine)
        device = resolve("auto", {})
        print(device, describe(device, "auto").missing)
        try:
            resolve("cuda:0", {})
        except SettingError as error:
            print(error, flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
REASONS = {
    (12020, ""): OLD,
    ("", 803): "CUDA error 803: system has unsupported display driver / cuda driver combination",
    ("", 804): "CUDA error 804: forward compatibility was attempted on non supported HW",
    ("", 999): "CUDA error 999: unknown error",
}


def test_why_cuda_does_not_start_is_one_line(simgpu: SimulatedGpu) -> None:
    machines = [simgpu.environment(driver=driver, cuda_error=error) for driver, error in REASONS]
    theirs = [{name: at[name] for name in at if name[:7] == "SIMGPU_"} for at in machines]
    script = f"import sys; sys.argv[1:] = [{json.dumps(theirs)!r}]\n{LOOK}"
    said = simgpu.run(script, machines[0]).splitlines()
    assert said == [
        line
        for reason in REASONS.values()
        for line in (f"cpu {reason}", f"device cuda:0: {reason}; use --device cpu or auto")
    ]


async def test_a_headless_run_on_a_cpu_instead_of_a_gpu_says_why(
    run_on: Callable[..., object], capsys: pytest.CaptureFixture[str]
) -> None:
    run_on(driver=12020)
    assert await headless(Settings(), 3, "jsonl") == 0
    output, complaints = capsys.readouterr()
    assert complaints == f"vramtop: no GPU is used: {OLD}\n"
    assert f'"missing":"{OLD}"' in output.splitlines()[0]


FAIL_BEFORE_ITS_LINES = """
import socket, sys, time
from vramtop.protocol.wire.envelope import Stamp
from vramtop.protocol.wire.framing import encode
from vramtop.protocol.messages import Failed
connection = socket.socket(fileno=int(sys.argv[sys.argv.index("--socket") + 1]))
connection.sendall(encode(Stamp().envelope(Failed("it cannot go on", usage=False))))
time.sleep(0.3)  # as under load: the lines are on their way when the message is there
print("the reason")
"""


async def test_lines_of_a_worker_that_fails_come_before_the_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(_: str, *arguments: str) -> list[str]:
        return [sys.executable, "-c", FAIL_BEFORE_ITS_LINES, *arguments]

    monkeypatch.setattr(process, "command", command)
    failing = await start_worker(Settings(device="cpu"))
    try:
        with pytest.raises(WorkerFailed, match="it cannot go on"):
            async for _ in follow(failing):
                pass
    finally:
        await failing.close()
    assert "the reason" in capsys.readouterr().err
