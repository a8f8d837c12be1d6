"""The screen of all GPUs over a training, and how that moves to another GPU."""

from __future__ import annotations

import pytest
from gpu_table import DEVICE, GIB, TRAINING, chosen, line_of, make_gpu, marked, report
from made import BEGUN, HELLO, begun_on, configured, measured
from msgspec.structs import replace
from scripted import Script, begin, painted, seen
from vramtop.protocol.gpus import GpuProcess, GpusReport
from vramtop.protocol.messages import DeviceMemory
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.screens.gpus import TrainingGpus
from vramtop.tui.screens.prompt import Prompt
from vramtop.tui.widgets.headlines import headline

OURS = HELLO.pid
MIB = 2**20
TWO = report(make_gpu(0, GpuProcess(OURS, GIB, "me", "python -m trainer")), make_gpu(1))


@pytest.fixture(autouse=True)
def all_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


async def test_g_opens_the_screen_and_closes_it(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        for key in ("g", "escape"):
            await pilot.press("g")
            assert isinstance(app.screen, TrainingGpus)
            assert "2 GPUs" in seen(app)
            await pilot.press(key)
            assert not isinstance(app.screen, TrainingGpus)
            assert "Parameters" in seen(app)


async def test_our_gpu_and_our_process_are_marked(app: VramtopApp) -> None:
    foreign = GpuProcess(4242, GIB, "ann", "train")
    gpus = report(make_gpu(0, GpuProcess(OURS, 2 * GIB, "me", "trainer")), make_gpu(1, foreign))
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, gpus)
        await pilot.press("g")
        screen = seen(app)
        assert marked(line_of(screen, "0 X100"))
        assert not marked(line_of(screen, "1 X100"))
        assert marked(line_of(screen, f"0      {OURS} "))
        assert "this training" in line_of(screen, f"0      {OURS} ")
        assert not marked(line_of(screen, "1   4242"))


async def test_both_screens_tell_the_same_bytes_in_use(app: VramtopApp) -> None:
    """The driver's own and two processes; what is free is the rest."""
    busy = report(
        make_gpu(
            0,
            GpuProcess(OURS, 510 * MIB),
            GpuProcess(9, 100 * MIB),
            reserved=600 * MIB,
            used=610 * MIB,
            free=80 * GIB - 1210 * MIB,
        )
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await painted(pilot, *TRAINING, busy)
        assert "in use   1.18 GiB of 80.0 GiB" in seen(app)
        await pilot.press("g")
        assert "in use/total" in seen(app)
        assert "1.18G/80.0G" in line_of(seen(app), "0 X100")


async def test_both_screens_say_that_the_memory_is_by_cuda(app: VramtopApp) -> None:
    unknown = make_gpu(0, total=None, reserved=None, used=None, free=None)
    said = replace(measured(), device_memory=DeviceMemory(80 * GIB, 60 * GIB))
    async with app.run_test(size=(120, 40)) as pilot:
        await painted(pilot, *TRAINING[:-1], said, report(unknown))
        assert "in use, says CUDA   20.0 GiB of 80.0 GiB" in seen(app)
        await pilot.press("g")
        assert "20.0G/80.0G" in line_of(seen(app), "0 X100")
        assert "memory by CUDA" in seen(app)


async def test_the_screen_follows_what_nvml_says(app: VramtopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g")
        await painted(pilot, report(TWO.gpus[0], make_gpu(1, gpu_utilization=99)))
        assert "99%" in line_of(seen(app), "1 X100")


async def test_enter_moves_the_training_to_the_chosen_gpu(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g")
        assert chosen(seen(app)) == ["0"]
        await pilot.press("down", "down", "enter")
        assert chosen(seen(app)) == ["1"]
    assert script.moves == ["cuda:1"]


async def test_a_click_chooses_too(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g")
        lines = seen(app).splitlines()
        (row,) = [at for at, line in enumerate(lines) if "1 X100" in line]
        await pilot.click(offset=(10, row))
        await pilot.pause()
        assert chosen(seen(app)) == ["1"]
        await pilot.press("enter")
    assert script.moves == ["cuda:1"]


async def test_a_gpu_has_the_number_that_cuda_visible_devices_gives_it(
    app: VramtopApp, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    there = replace(DEVICE, uuid="GPU-1")
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *begun_on(there), TWO)
        await pilot.press("g", "enter")
    assert script.moves == ["cuda:1"]


async def test_a_gpu_that_the_worker_cannot_see_says_so(
    app: VramtopApp, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g", "down", "enter")
        await pilot.pause()
        assert "the worker cannot see GPU 1" in seen(app)
    assert script.moves == []


async def test_where_the_training_is_already_it_stays(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g", "enter")
        await pilot.pause()
        assert "the training is on GPU 0" in seen(app)
    assert script.moves == []


async def test_after_a_move_the_mark_stands_at_the_other_gpu(app: VramtopApp) -> None:
    there = replace(DEVICE, name="cuda:1", uuid="GPU-1")
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g")
        app.receive(replace(configured(device="cuda:1"), device=there))
        await pilot.pause()
        assert marked(line_of(seen(app), "1 X100"))
        assert not marked(line_of(seen(app), "0 X100"))
        assert "cuda:1" in seen(app).splitlines()[0]
        assert app.state.news is not None
        assert headline(app.state.news).text == "device auto → cuda:1"
        assert app.state.measured is None  # those bytes were another device's


async def test_the_keys_of_the_training_go_on_working(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, TWO)
        await pilot.press("g", "plus", "b")
        assert isinstance(app.screen, Prompt)
        await pilot.press("escape")
        assert isinstance(app.screen, TrainingGpus)
    assert script.changes == [{"batch_size": 128}]


async def test_without_a_gpu_enter_moves_nothing(app: VramtopApp, script: Script) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *BEGUN, GpusReport(trouble="no NVIDIA driver here"))
        await pilot.press("g", "down", "enter")
        assert "no NVIDIA driver here" in seen(app)
    assert script.moves == []


async def test_the_training_moves_among_gpus_of_several_kinds(
    app: VramtopApp, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    unlike = report(TWO.gpus[0], replace(TWO.gpus[1], name="Y50"))
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(pilot, *TRAINING, unlike)
        await pilot.press("g", "down", "enter")
    assert script.moves == ["cuda:1"]
