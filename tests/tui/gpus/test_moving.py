from __future__ import annotations

import pytest
from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu
from vramtop.tui.gpus.conclusions import lost
from vramtop.tui.gpus.moving import CannotMove, destination

ONE = Gpu(0, "GPU-aa11", "X100")
TWO = Gpu(1, "GPU-bb22", "X100")
OTHER_KIND = Gpu(1, "GPU-cc33", "Y50")


@pytest.mark.parametrize(
    ("setting", "place", "device"),
    [
        (None, 0, "cuda:0"),
        (None, 1, "cuda:1"),
        ("1,0", 0, "cuda:1"),
        ("1", 1, "cuda:0"),
        ("GPU-bb,GPU-aa", 1, "cuda:0"),
    ],
)
def test_a_gpu_has_the_number_that_the_worker_gives_it(
    setting: str | None, place: int, device: str
) -> None:
    environment = {} if setting is None else {"CUDA_VISIBLE_DEVICES": setting}
    assert destination([ONE, TWO], place, environment) == device


@pytest.mark.parametrize("setting", ["1", "", "GPU-bb22", "1,1"])
def test_a_gpu_that_the_worker_cannot_see_is_no_destination(setting: str) -> None:
    with pytest.raises(CannotMove, match="cannot see GPU 0"):
        destination([ONE, TWO], 0, {"CUDA_VISIBLE_DEVICES": setting})


def test_a_lost_gpu_is_no_destination_but_keeps_its_number() -> None:
    gpus = [lost(ONE, "the GPU is lost"), TWO]
    with pytest.raises(CannotMove, match="GPU 0: the GPU is lost"):
        destination(gpus, 0, {})
    assert destination(gpus, 1, {}) == "cuda:1"


def test_a_gpu_is_seen_by_its_instance() -> None:
    parts = tuple(Gpu(slot, f"MIG-{slot}", "X100 MIG 1g") for slot in (0, 1))
    gpus = [ONE, replace(TWO, instances=parts, mig=True)]
    environment = {"CUDA_VISIBLE_DEVICES": "MIG-1"}
    assert destination(gpus, 1, environment) == "cuda:0"
    with pytest.raises(CannotMove, match="cannot see GPU 0"):
        destination(gpus, 0, environment)


def test_gpus_of_several_kinds_have_no_number_that_nvml_knows() -> None:
    with pytest.raises(CannotMove, match="CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        destination([ONE, OTHER_KIND], 1, {})
    assert destination([ONE, OTHER_KIND], 1, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}) == "cuda:1"
    assert destination([ONE, OTHER_KIND], 1, {"CUDA_VISIBLE_DEVICES": "GPU-cc"}) == "cuda:0"


def test_gpus_without_a_uuid_are_numbered_in_order() -> None:
    assert destination([Gpu(0), Gpu(1)], 1, {}) == "cuda:1"
