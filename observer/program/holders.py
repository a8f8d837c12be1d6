"""Who holds a tensor: the lists, dictionaries, objects and frames that refer to it."""

from __future__ import annotations

import gc
from types import FrameType, ModuleType

import torch
from torch import Tensor, nn

from ..private import has_storage

_DEPTH = 6  # so many steps from a tensor to a name


def holders(device: torch.device, addresses: list[int]) -> list[list[object]]:
    """For each address its holder, as `[address, "history in train.py"]`; empty if not found.

    No object is freed while this looks for it.
    """
    wanted = set(addresses)
    found: dict[int, str] = {}
    for each in gc.get_objects():
        kind = type(each)
        if (kind is Tensor or kind is nn.Parameter) and each.device == device:
            address = each.untyped_storage().data_ptr() if has_storage(each) else 0
            if address in wanted and not found.get(address):
                found[address] = _holder(each)
    return [[address, found.get(address, "")] for address in addresses]


def _holder(tensor: Tensor) -> str:
    """The nearest name by which the program reaches a tensor."""
    seen = {id(tensor)}
    level: list[object] = [tensor]
    for _ in range(_DEPTH):
        referrers = gc.get_referrers(*level)
        fresh = [each for each in referrers if id(each) not in seen and each is not level]
        for each in fresh:
            name = _name(each, level)
            if name:
                return name
        seen.update(map(id, fresh))
        level = [each for each in fresh if not isinstance(each, FrameType)]
        if not level:
            break
    return ""


def _name(referrer: object, held: list[object]) -> str:
    """The variable or attribute through which a referrer has one of these; empty if it has none."""
    if isinstance(referrer, FrameType):
        if referrer.f_globals.get("__name__") == __name__:
            return ""
        names = referrer.f_locals
        where = f"{referrer.f_code.co_name} in {referrer.f_code.co_filename.rpartition('/')[2]}"
    elif isinstance(referrer, dict) and "__name__" in referrer and "__builtins__" in referrer:
        names = referrer
        where = str(referrer.get("__file__", referrer["__name__"])).rpartition("/")[2]
    elif isinstance(referrer, ModuleType):
        return ""
    else:
        return ""
    ids = {id(each) for each in held}
    for name, value in list(names.items()):
        if id(value) in ids:
            return f"{name} in {where}"
    return ""
