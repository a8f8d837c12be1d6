"""Which CUDA device a GPU of the machine is, for a training that is to move there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vramtop.protocol.gpus import Gpu

from .conclusions import visible


class CannotMove(Exception):
    """The training cannot move to that GPU; the text is the reason, in one line."""


def destination(gpus: Sequence[Gpu], place: int, environment: Mapping[str, str]) -> str:
    """The name `cuda:N` that the GPU at `place` has in a process with this environment.

    `gpus` are in NVML's order when the process began. Raises `CannotMove` if the process does not
    see the GPU, if the GPU cannot be used now, and if CUDA may number the GPUs in another order
    than NVML.
    """
    gpu = gpus[place]
    name = f"GPU {gpu.index}"
    if gpu.trouble is not None:
        raise CannotMove(f"{name}: {gpu.trouble}")
    setting = environment.get("CUDA_VISIBLE_DEVICES")
    by_number = setting is None or not setting.strip().startswith(("GPU-", "MIG-"))
    in_order = environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    if by_number and not in_order and len({each.name for each in gpus}) > 1:
        raise CannotMove(
            "CUDA numbers GPUs of several kinds in an order of its own; "
            "start vramtop with CUDA_DEVICE_ORDER=PCI_BUS_ID"
        )
    devices = _seen(gpus, setting)
    if place not in devices:
        raise CannotMove(f"the worker cannot see {name}: CUDA_VISIBLE_DEVICES is {setting!r}")
    return f"cuda:{devices.index(place)}"


def _seen(gpus: Sequence[Gpu], setting: str | None) -> list[int]:
    """The places of the GPUs that cuda:0, cuda:1, … stand for, as a whole or by an instance."""
    whole = [(gpu.uuid or "", place) for place, gpu in enumerate(gpus)]
    parts = [
        (part.uuid, place)
        for place, gpu in enumerate(gpus)
        for part in gpu.instances
        if part.uuid is not None
    ]
    known = [*whole, *parts]
    return [known[at][1] for at in visible([uuid for uuid, _ in known], setting)]
