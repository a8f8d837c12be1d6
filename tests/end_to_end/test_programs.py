"""A program of an environment that has PyTorch and nothing of ours is looked into.

One that is started is in `test_wheel.py`.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import environments
import pytest
from vramtop.protocol.observed.record import WatchedStep
from vramtop.tui.programs.inject import attach
from vramtop.tui.programs.viewer import Viewer, connect

TRAINING = """
import sys, torch
model = torch.nn.Linear(64, 10)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
print("trains", flush=True)
while True:
    model(torch.randn(32, 64)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    assert not {"msgspec", "psutil", "vramtop"} & set(sys.modules)
"""
WEIGHTS = 4 * 64 * 10  # bytes


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with PyTorch and what that needs."""
    return environments.with_pytorch_alone(tmp_path_factory.mktemp("bare"))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(TRAINING)
    return tmp_path / "train.py"


@pytest.fixture(autouse=True)
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tempfile.mkdtemp(prefix="vt", dir="/tmp")
    monkeypatch.setenv("VRAMTOP_SOCKETS", f"{folder}/s")
    yield
    shutil.rmtree(folder)


@asynccontextmanager
async def left(viewer: Viewer) -> AsyncIterator[Viewer]:
    """A viewer that is closed afterwards."""
    try:
        yield viewer
    finally:
        await viewer.close()


async def watched(viewer: Viewer) -> WatchedStep:
    """The first watched step."""
    viewer.watch()
    async for message in viewer.messages():
        if isinstance(message, WatchedStep):
            return message
    raise AssertionError("it ended before a step was watched")


@pytest.mark.skipif(shutil.which("gdb") is None, reason="needs gdb")
async def test_a_training_that_runs_already_is_watched(python: Path, script: Path) -> None:
    training = subprocess.Popen([python, "-I", script], stdout=subprocess.PIPE)
    try:
        assert training.stdout is not None
        training.stdout.readline()
        async with left(await connect(attach(training.pid))) as viewer:
            assert (viewer.observed.program, viewer.observed.since_start) == ("train.py", False)
            step = await asyncio.wait_for(watched(viewer), 60)
            assert step.optimizer == "SGD"
            assert WEIGHTS in dict(step.blocks).values()
        assert training.poll() is None
    finally:
        training.kill()
        training.communicate()
