"""The tensors that modules and optimizers own, with names, and the storages of a tensor."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from itertools import chain
from typing import TypeAlias

import torch
from torch import Tensor, UntypedStorage, nn
from torch.nn.parameter import is_lazy

from .private import is_traceable_wrapper_subclass, sparse_parts, tree_iter

# A tensor and what its owner calls it.
Named: TypeAlias = tuple[str, Tensor]


@dataclass(frozen=True)
class Owners:
    """The modules and optimizers of a program."""

    modules: tuple[nn.Module, ...]
    optimizers: tuple[torch.optim.Optimizer, ...]

    def parameters(self) -> Iterator[Named]:
        """All parameters and buffers, and parameters that only an optimizer has.

        With several modules, each name begins with the module's index.
        """
        for place, module in enumerate(self.modules):
            prefix = str(place) if len(self.modules) > 1 else ""
            yield from module.named_parameters(prefix)
            yield from module.named_buffers(prefix)
        for optimizer in self.optimizers:
            kind = type(optimizer).__name__
            parameters = chain.from_iterable(group["params"] for group in optimizer.param_groups)
            for place, parameter in enumerate(parameters):
                yield f"parameter {place} of {kind}", parameter


class Roster:
    """The gradients and the optimizer state of the owners' parameters, with names, in one step.

    The parameters are listed once, when it is made, since walking the modules at every boundary
    would take too long. It keeps no tensor alive.
    """

    def __init__(self, owners: Owners) -> None:
        self.owners = owners
        self._parameters: dict[int, tuple[str, weakref.ref[Tensor]]] = {}
        for name, tensor in owners.parameters():
            self._parameters.setdefault(id(tensor), (name, weakref.ref(tensor)))

    def forget(self) -> None:
        """Drop all references when the step has ended."""
        self.owners, self._parameters = Owners((), ()), {}

    def gradients(self) -> Iterator[Named]:
        """The gradients that the parameters have now."""
        for name, reference in self._parameters.values():
            parameter = reference()
            # PyTorch warns if one asks for the `.grad` of a tensor that is no leaf.
            if parameter is not None and parameter.is_leaf and parameter.grad is not None:
                yield f"{name}.grad", parameter.grad

    def optimizer_state(self) -> Iterator[Named]:
        """The tensors that the optimizers hold now."""
        for optimizer in self.owners.optimizers:
            for parameter, state in optimizer.state.items():
                owner, _ = self._parameters.get(id(parameter), ("a parameter", None))
                for key, value in state.items():
                    name = f"{key} of {owner}"
                    if isinstance(value, Tensor):
                        yield name, value
                    else:
                        yield from ((name, tensor) for tensor in tensors_in(value))


def tensors_in(tree: object) -> Iterator[Tensor]:
    """The tensors in nested containers: PyTorch's, mappings, sequences, sets and dataclasses."""
    for leaf in tree_iter(tree):
        if isinstance(leaf, Tensor):
            yield leaf
        elif isinstance(leaf, Mapping):
            yield from tensors_in(list(leaf.values()))
        elif isinstance(leaf, (Sequence, Set)) and not isinstance(leaf, (str, bytes)):
            yield from tensors_in(list(leaf))
        elif is_dataclass(leaf):
            yield from tensors_in([getattr(leaf, field.name) for field in fields(leaf)])


def named_in(name: str, tree: object) -> list[Named]:
    """The tensors in nested containers, under one name; numbered where there are several."""
    found = list(tensors_in(tree))
    if len(found) == 1:
        return [(name, found[0])]
    return [(f"{name}[{place}]", tensor) for place, tensor in enumerate(found)]


def storages_on(device: torch.device, value: object) -> Iterable[UntypedStorage]:
    """The storages on `device` of what an operator takes or returns."""
    return map(Tensor.untyped_storage, stored_on(device, value))


def stored_on(device: torch.device, value: object) -> Iterable[Tensor]:
    """The tensors on `device`, each with one storage, of what an operator takes or returns.

    Only tensors, tuples and lists are walked; a general walk would take ten times as long.
    """
    if isinstance(value, Tensor):
        return _stored(device, value)
    if isinstance(value, (tuple, list)):
        return chain.from_iterable(map(partial(stored_on, device), value))
    return ()


def _stored(device: torch.device, tensor: Tensor) -> Iterable[Tensor]:
    """The tensor, or the tensors that it consists of; none where PyTorch does not show them."""
    layout = tensor.layout
    if type(tensor) is not Tensor and type(tensor) is not nn.Parameter:
        if is_lazy(tensor):
            return ()
        if is_traceable_wrapper_subclass(tensor):
            names, _ = tensor.__tensor_flatten__()
            return stored_on(device, [getattr(tensor, name) for name in names])
    if layout is torch.strided:
        # The tensor's device, not the storage's: a fake tensor's storage says "meta".
        return (tensor,) if tensor.device == device else ()
    return stored_on(device, sparse_parts(tensor))
