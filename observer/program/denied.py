"""What a process held on a GPU when its allocator had to deny a request."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ..ownership import stored_on
from ..private_cuda import allocator_statistics
from .lines import NOWHERE, Lines
from .owners import Owned, Owners

Message = dict[str, object]


def out_of_memory(owners: Owners, index: int, wanted: int, allowed: int, free: int) -> Message:
    """The message that a request for `wanted` bytes was denied on the GPU of this index.

    The process may take up to `allowed` bytes; the device has `free` bytes left.
    """
    device = torch.device("cuda", index)
    statistics = allocator_statistics(index)
    reserved = statistics["reserved_bytes"]["all"]["current"]
    parameters = list(owners.parameters())
    names = {id(each.tensor): each.path for each in parameters}
    counted: set[int] = set()
    lines = Lines()
    line = lines.here()
    return {
        "type": "out_of_memory",
        "device": str(device),
        "wanted": wanted,
        "free": max(0, min(free, allowed - reserved)),
        "reserved": reserved,
        "requested": statistics["requested_bytes"]["all"]["current"],
        "parameters": _bytes(device, parameters, counted),
        "optimizer_state": _bytes(device, owners.optimizer_state(names), counted),
        "gradients": _bytes(device, _gradients(parameters), counted),
        "line": "" if line == NOWHERE else lines.texts[line],
    }


def _gradients(parameters: Iterable[Owned]) -> Iterable[Owned]:
    for each in parameters:
        if each.tensor.is_leaf and each.tensor.grad is not None:
            yield each._replace(tensor=each.tensor.grad)


def _bytes(device: torch.device, owned: Iterable[Owned], counted: set[int]) -> int:
    """The bytes of these tensors' storages on the device, each once; `counted` are left out."""
    total = 0
    for each in owned:
        for tensor in stored_on(device, each.tensor):
            storage = tensor.untyped_storage()
            address = storage.data_ptr()
            if address not in counted:
                counted.add(address)
                total += storage.nbytes()
    return total
