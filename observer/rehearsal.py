"""What an operator will allocate, found by running it on tensors without contents."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_map_only

from .ownership import storages_on

_GROWING = ("aten::resize_", "aten::resize_as_", "aten::set_")


class Rehearsal:
    """The operators of one step, each before it runs."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._mode = FakeTensorMode(allow_non_fake_inputs=True)

    def allocates(
        self, func: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> int:
        """Bytes that this operator will allocate and keep.

        0 where that cannot be known before it runs, as with results as long as the data say.
        """
        if _allocates_nothing(func):
            return 0
        before: dict[int, int] = {}

        def stand_in(tensor: Tensor) -> Tensor:
            # Detached, since a stand-in would also stand in for the graph and `.grad` behind it.
            fake = self._mode.from_tensor(tensor.detach())
            before.update(self._sizes(fake))
            return fake

        try:
            # A mode around the ledger's would take this for an operator of the program.
            with _disable_current_modes():
                fake_args, fake_kwargs = tree_map_only(Tensor, stand_in, (args, kwargs))
                with self._mode:
                    result = func(*fake_args, **fake_kwargs)
        except Exception:  # whatever is wrong, the operator itself will tell
            return 0
        return sum(size - before.get(key, 0) for key, size in self._sizes(result).items())

    def _sizes(self, value: object) -> dict[int, int]:
        """Bytes of each storage on the device."""
        return {storage._cdata: storage.nbytes() for storage in storages_on(self._device, value)}


@cache
def _allocates_nothing(func: Callable[..., object]) -> bool:
    """Whether the operator only writes into its arguments or gives views of them."""
    if not isinstance(func, OpOverload):
        return False
    schema = func._schema
    if schema.name in _GROWING:
        return False
    # In inference mode those arrive that are made of others, and they may copy where they say view.
    if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):  # type: ignore[no-untyped-call]
        return False
    # `out=` arguments, which come by keyword only, grow to the result's size.
    if any(argument.kwarg_only and argument.is_out for argument in schema.arguments):
        return False
    return all(returned.alias_info is not None for returned in schema.returns)
