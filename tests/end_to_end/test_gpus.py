"""The GPUs on the screen of the installed command, on a simulated machine."""

import psutil
from simulation import GIB
from terminal import Terminal

OTHER = 5_000_001  # no process of this machine has a pid as high as this
LOST = "nvmlDeviceGetHandleByIndex_v2:1=15"


def line_of(terminal, text):
    return next(line for line in terminal.text().splitlines() if text in line)


def test_the_monitor_alone_shows_the_gpus_and_starts_nothing(simgpu):
    machine = simgpu.environment(devices=2, others=f"{OTHER}:1:{3 * GIB}")
    terminal = Terminal(80, 24, "gpus", environment=machine)
    for pattern in (
        r"driver 580\.65\.06 .* 2 GPUs",
        r"0 Simulated X100-0 +37%",
        r"1 Simulated X100-1 +37% .* 3\.59G/8\.00G",
        rf"1 +{OTHER} +C +N/A +3\.00G +0%",
    ):
        terminal.wait_for(pattern)
    assert psutil.Process(terminal.child.pid).children(recursive=True) == []

    simgpu.control(machine, LOST)
    terminal.wait_for(r"1 Simulated X100-1 +the GPU is lost")
    assert "37%" in line_of(terminal, "0 Simulated")
    simgpu.control(machine, "")
    terminal.wait_for(r"1 Simulated X100-1 +37%")
    assert "lost" not in line_of(terminal, "1 Simulated")

    terminal.quit()


def test_on_a_machine_without_a_driver_it_says_so_and_still_has_its_help():
    terminal = Terminal(80, 24, "gpus")
    terminal.wait_for("no NVIDIA driver here")
    assert "N/A" not in terminal.text()
    terminal.child.send("?")
    terminal.wait_for("choose a GPU")
    terminal.quit("qq")


def test_g_down_enter_moves_the_training_to_the_other_gpu(simgpu):
    # The simulated GPUs have different names, as those of several kinds would.
    machine = {**simgpu.environment(devices=2), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    terminal = Terminal(120, 40, "--device", "cuda:0", environment=machine)
    terminal.wait_for(r"batch 64 .* cuda:0 .* loss +\d")
    terminal.child.send("g")
    terminal.wait_for(r"▸ 0 Simulated")
    terminal.child.send("\x1b[B\r")
    terminal.wait_for(r"▸ 1 Simulated")
    terminal.wait_for(r"batch 64 .* cuda:1 .* loss +\d")
    terminal.child.send("g")
    terminal.wait_for("device cuda:0 → cuda:1")
    assert "cuda:1" in terminal.text().splitlines()[0]
    terminal.quit()


def test_in_a_small_pane_keys_and_wheel_reach_every_process(simgpu):
    pids = [5_000_000 + number for number in range(32)]
    others = ",".join(f"{pid}:{pid % 8}:{GIB}" for pid in pids)
    machine = simgpu.environment(devices=8, others=others)
    terminal = Terminal(80, 12, "gpus", environment=machine)
    terminal.wait_for(rf"0 +{pids[0]} .*\n(.*\n)*.* 29 more below")
    terminal.child.send("\x1b[<65;10;9M")  # the wheel, down, over the processes
    terminal.wait_for(rf"› +0 +{pids[24]} ")
    terminal.child.send("\x1b[F")  # end
    terminal.wait_for(rf"› +7 +{pids[31]} ")
    assert "29 more above" in terminal.text()
    terminal.quit()
