"""What an operator does with the storages of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch

from .private import schema

# `torch.tensor` makes a storage without an operator, and passes it to one of these.
FRESH = (torch.ops.aten.lift_fresh.default, torch.ops.aten.lift.default)


@cache
def writes(func: Callable[..., object]) -> bool:
    """Whether the operator writes into one of its arguments."""
    known = schema(func)
    return known is not None and any(
        argument.alias_info is not None and argument.alias_info.is_write
        for argument in known.arguments
    )
