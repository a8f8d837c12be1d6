"""A driver with which CUDA does not start: the CPU trains, and the reason is given."""

from __future__ import annotations

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
LOOK = """
from vramtop.trainer.device.devices import describe, resolve
from vramtop.protocol.lesson.settings import SettingError
device = resolve("auto", {})
print(device, describe(device, "auto").missing)
try:
    resolve("cuda:0", {})
except SettingError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("driver", "error", "reason"),
    [
        (12020, "", OLD),
        (
            "",
            803,
            "CUDA error 803: system has unsupported display driver / cuda driver combination",
        ),
        ("", 804, "CUDA error 804: forward compatibility was attempted on non supported HW"),
        ("", 999, "CUDA error 999: unknown error"),
    ],
)
def test_why_cuda_does_not_start_is_one_line(
    simgpu: SimulatedGpu, driver: str | int, error: str | int, reason: str
) -> None:
    machine = simgpu.environment(driver=driver, cuda_error=error)
    text = f"device cuda:0: {reason}; use --device cpu or auto"
    assert simgpu.run(LOOK, machine) == f"cpu {reason}\n{text}\n"


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
