"""From the GPUs into a training on a simulated one, and back."""

import json
import shutil
import subprocess
import sys
import time

import pytest
from terminal import TIMEOUT_SECONDS, Terminal

# Writes after each step how many it has done, and what others have put into it.
TRAINING = """
import json, os, pathlib, sys, torch
from torch.nn.modules import module
from torch.optim import optimizer as optim

def hooks():
    places = [*vars(module).items(), *vars(optim).items(), *vars(model).items()]
    places += vars(optimizer).items()
    held = {name: len(many) for name, many in places if "hooks" in name and isinstance(many, dict)}
    return {name: count for name, count in held.items() if count}

def put_in():
    changed = [name for name, thing in vars(torch.autograd).items() if own.get(name) is not thing]
    return {"hooks": hooks(), "changed": changed, "records": torch._C._cuda_isHistoryEnabled()}

model = torch.nn.Linear(784, 128).to("cuda:0")
optimizer = torch.optim.Adam(model.parameters())
own, told, step = {**vars(torch.autograd)}, pathlib.Path(sys.argv[1]), 0
while True:
    model(torch.randn(64, 784, device="cuda:0")).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    step += 1
    told.with_suffix(".new").write_text(json.dumps({"step": step, **put_in()}))
    os.replace(told.with_suffix(".new"), told)
"""
PARAMETERS = r"Parameters +392\.5 "  # kilobytes
NOTHING = {"hooks": {}, "changed": [], "records": False}


class Training:
    """A training that knows nothing of vramtop."""

    def __init__(self, folder, environment):
        (folder / "train.py").write_text(TRAINING)
        self._told = folder / "told"
        self._process = subprocess.Popen(
            [sys.executable, folder / "train.py", self._told], env=environment
        )
        self.pid = self._process.pid

    def until(self, condition):
        """What the training told last, once the condition holds for it."""
        latest = time.monotonic() + TIMEOUT_SECONDS
        told = None
        while time.monotonic() < latest:
            assert self._process.poll() is None
            if self._told.exists() and condition(told := json.loads(self._told.read_text())):
                return told
            time.sleep(0.001)
        raise AssertionError(told)

    def go_on(self):
        """What it tells ten steps later."""
        step = self.until(lambda _: True)["step"]
        told = self.until(lambda told: told["step"] > step + 10)
        del told["step"]
        return told

    def end(self):
        self._process.kill()
        self._process.wait()


@pytest.fixture
def training(tmp_path, environment):
    started = Training(tmp_path, environment)
    yield started
    started.end()


@pytest.mark.skipif(shutil.which("gdb") is None, reason="needs gdb")
def test_enter_looks_inside_and_the_way_back_leaves_it_as_it_was(training, environment):
    training.until(lambda told: told["step"] > 5)
    terminal = Terminal(120, 40, "gpus", environment=environment)
    terminal.wait_for(rf" {training.pid} ")
    assert training.go_on() == NOTHING
    for back in ("\x1b", "q"):
        # The cursor has stayed where it was.
        terminal.child.send("\r\r" if back == "\x1b" else "\r")
        terminal.wait_for(PARAMETERS)
        training.until(lambda told: told["hooks"])
        terminal.child.send(back)
        terminal.wait_for(rf"left train\.py \(pid {training.pid}\), which goes on")
        training.until(lambda told: {**told, "step": 0} == {"step": 0, **NOTHING})
        assert training.go_on() == NOTHING
    terminal.quit()
    assert training.go_on() == NOTHING


def test_why_a_process_is_not_entered_is_a_line_below_the_gpus(simgpu):
    other = 5_000_001  # no process of this machine has a pid as high as this
    machine = simgpu.environment(devices=1, others=f"{other}:0:1000000000")
    terminal = Terminal(80, 24, "gpus", environment=machine)
    terminal.wait_for(rf" {other} ")
    terminal.child.send("\r\r")
    terminal.wait_for(f"! there is no process {other}")
    assert f" {other} " in terminal.text().partition("! there")[0]
    terminal.quit()
