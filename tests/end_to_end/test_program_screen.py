"""The screen of a program in a real terminal: one that runs already, and one that is started."""

import json
import shutil
import subprocess
import sys

import psutil
import pytest
from terminal import Terminal

TRAINING = """
import sys, torch
model = torch.nn.Sequential(
    torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
).to(sys.argv[1])
optimizer = torch.optim.Adam(model.parameters())
for step in range(int(sys.argv[2])):
    inputs = torch.randn(64, 784, device=sys.argv[1])
    targets = torch.zeros(64, dtype=torch.long, device=sys.argv[1])
    loss = torch.nn.functional.cross_entropy(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"\\rstep {step}", end="", flush=True)
print("\\nthe last line")
sys.exit(3)
"""
# Kilobytes: parameters at the peak, the same at high water, and what they are.
PARAMETERS = r"Parameters +397\.5 +\d+% +397\.5 +101,770 × 4 B +397\.5 +✓"
STATE = r"Optimizer state +795\.1 +\d+% +795\.1 +Adam 2 × 4 B × 101,770 +795\.1 +✓"


@pytest.fixture
def script(tmp_path):
    (tmp_path / "train.py").write_text(TRAINING)
    return str(tmp_path / "train.py")


@pytest.mark.skipif(shutil.which("gdb") is None, reason="needs gdb")
def test_a_program_on_a_gpu_is_looked_into_and_left_as_it_was(environment, script):
    training = subprocess.Popen(
        [sys.executable, script, "cuda:0", str(10**9)], env=environment, stdout=subprocess.PIPE
    )
    try:
        assert b"step 0" in training.stdout.read(7)
        terminal = Terminal(120, 40, "attach", str(training.pid), environment=environment)
        terminal.wait_for(PARAMETERS)
        terminal.wait_for(STATE)
        terminal.wait_for(rf"train\.py  pid {training.pid}  training  64×784 float32  cuda:0")
        terminal.wait_for(r"watching +[\d.]+ (of \d+ s|%)")
        terminal.wait_for(r"driver \S+ .*context \S+ .*workspace \S+ .*step \S+")
        terminal.quit()
        assert training.poll() is None
        assert psutil.Process(training.pid).status() != psutil.STATUS_STOPPED
    finally:
        training.kill()
        training.communicate()


def test_a_program_that_is_run_is_shown_and_leaves_its_last_lines_and_its_exit_code(
    environment, script, tmp_path
):
    command = ("run", "--output", str(tmp_path / "report.json"), sys.executable, script)
    terminal = Terminal(120, 40, *command, "cpu", "2000", environment=environment)
    terminal.wait_for(r"training  64×784 float32  cpu")
    terminal.wait_for(r"the program has ended with exit code 3")
    terminal.wait_for(r"Parameters +397\.5")
    terminal.child.send("q")
    assert terminal.ended() == 3
    after = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
    assert "the last line" in after
    assert "Parameters" in after
    assert "407,080" in after
    (program,) = json.loads((tmp_path / "report.json").read_text())
    assert program["kinds"][0]["high_water"]["parameters"] == 407_080


def test_a_program_that_is_left_asks_first_and_then_ends(environment):
    waits = ("sh", "-c", "echo step 0; exec sleep 3600")
    terminal = Terminal(120, 40, "run", *waits, environment=environment)
    terminal.wait_for("step 0")
    terminal.child.send("q")
    terminal.wait_for("the program still runs: q again ends it")
    terminal.child.send("q")
    assert terminal.ended() == 143


def test_why_a_process_cannot_be_looked_into_is_one_line(environment):
    terminal = Terminal(80, 24, "attach", "4194303", environment=environment)
    assert terminal.ended() == 1
    after = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
    assert "vramtop: there is no process 4194303" in after
