"""What an operator will allocate, found by running it on tensors without contents."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from vramtop.observer.ownership import storages_on
from vramtop.observer.private import (
    fake_tensor_mode,
    made_of_others,
    schema,
    storage_key,
    tree_map_only,
    without_dispatch_modes,
)
from vramtop.observer.recording import Arguments, Keywords, Operator

_GROWING = ("aten::resize_", "aten::resize_as_", "aten::set_")


class AllocationPredictor:
    """Predicts the operators of one step on `device`, each before it runs."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._mode = fake_tensor_mode(allow_real_inputs=True)

    def allocates(self, operator: Operator, args: Arguments, kwargs: Keywords) -> int:
        """Bytes that this operator will allocate and keep.

        0 where that cannot be known before it runs, as with results whose length depends on the
        values.
        """
        if _allocates_nothing(operator):
            return 0
        before: dict[int, int] = {}

        def stand_in(tensor: Tensor) -> Tensor:
            # Detached: otherwise its graph and its `.grad` would be replaced as well.
            fake = self._mode.from_tensor(tensor.detach())
            before.update(self._sizes(fake))
            return fake

        try:
            # Hidden from the recording and other modes: this is not an operator of the program.
            with without_dispatch_modes():
                fake_args, fake_kwargs = tree_map_only(Tensor, stand_in, (args, kwargs))
                with self._mode:
                    result = operator(*fake_args, **fake_kwargs)
        except Exception:  # the operator itself will raise the error
            return 0
        return sum(size - before.get(key, 0) for key, size in self._sizes(result).items())

    def _sizes(self, value: object) -> dict[int, int]:
        """Bytes of each storage on the device."""
        found = storages_on(self._device, value)
        return {storage_key(storage): storage.nbytes() for storage in found}


@cache
def _allocates_nothing(operator: Operator) -> bool:
    """Whether the operator only writes into its arguments or gives views of them."""
    known = schema(operator)
    if known is None or known.name in _GROWING:
        return False
    # In inference mode composite operators arrive too. They may copy although they declare a view.
    if made_of_others(known.name + (f".{known.overload_name}" if known.overload_name else "")):
        return False
    # `out=` arguments, which come by keyword only, grow to the result's size.
    if any(argument.kwarg_only and argument.is_out for argument in known.arguments):
        return False
    return all(returned.alias_info is not None for returned in known.returns)
