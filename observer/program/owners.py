"""The modules and optimizers of the program, and what they own. No tensor is kept alive."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..ownership import tensors_in
from ..private import bucket_sizes, is_made


class Owned(NamedTuple):
    """A tensor and what its owner calls it.

    `key` says which of an optimizer's tensors it is. `trained` is False for a frozen parameter.
    """

    path: str
    tensor: Tensor
    key: str = ""
    trained: bool = False
    buffer: bool = False


class Owners:
    """What was seen or found of the program's modules and optimizers."""

    def __init__(self) -> None:
        self._modules: dict[int, weakref.ref[nn.Module]] = {}
        self._optimizers: dict[int, weakref.ref[torch.optim.Optimizer]] = {}
        self.memory: set[int] = set()

    def add_module(self, module: nn.Module) -> bool:
        """Note a module that the program calls; whether neither it nor one around it was known."""
        if id(module) in self._modules or id(module) in self._paths():
            return False
        self._modules[id(module)] = weakref.ref(module)
        return True

    def add_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Note an optimizer of the program."""
        if id(optimizer) not in self._optimizers:
            self._optimizers[id(optimizer)] = weakref.ref(optimizer)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Those that are alive."""
        return [alive for reference in self._optimizers.values() if (alive := reference())]

    def search(self) -> None:
        """Look through all objects for modules, optimizers, and the addresses of tensors.

        While it looks, no object can be freed. So this takes place in the program's own thread, and
        lets nothing else run.
        """
        modules: dict[int, nn.Module] = {}
        inner: set[int] = set()
        self.memory = set()
        for found in gc.get_objects():
            kind = type(found)
            if kind is Tensor or kind is nn.Parameter:
                _note_memory(found, self.memory)
            elif issubclass(kind, nn.Module):
                if is_made(found):
                    modules[id(found)] = found
                    inner.update(id(child) for child in found.children())
            elif issubclass(kind, torch.optim.Optimizer) and hasattr(found, "param_groups"):
                self.add_optimizer(found)
        for key, module in modules.items():
            if key not in inner:
                self._modules.setdefault(key, weakref.ref(module))

    def module_paths(self) -> dict[int, tuple[str, str]]:
        """The path and the class of each module, by its `id`."""
        return self._paths()

    def parameters(self) -> Iterator[Owned]:
        """All parameters and buffers, also parameters that only an optimizer knows."""
        known: set[int] = set()
        for prefix, module in self._roots():
            for name, parameter in module.named_parameters(prefix):
                if id(parameter) not in known:
                    known.add(id(parameter))
                    yield Owned(name, parameter, trained=parameter.requires_grad)
            for name, buffer in module.named_buffers(prefix):
                if id(buffer) not in known:
                    known.add(id(buffer))
                    yield Owned(name, buffer, buffer=True)
        for optimizer in self.optimizers():
            place = 0
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if id(parameter) not in known:
                        known.add(id(parameter))
                        name = f"parameter {place} of {type(optimizer).__name__}"
                        yield Owned(name, parameter, trained=parameter.requires_grad)
                    place += 1

    def optimizer_state(self, names: dict[int, str]) -> Iterator[Owned]:
        """The tensors that the optimizers keep; `names` are the parameters', by `id`."""
        # Wrappers, as Lightning's, share the state of the optimizer within.
        states = {id(optimizer.state): optimizer.state for optimizer in self.optimizers()}
        for each in states.values():
            for parameter, state in list(each.items()):
                name = names.get(id(parameter), "")
                values = state.items() if isinstance(state, dict) else [("", state)]
                for key, value in list(values):
                    for tensor in (value,) if isinstance(value, Tensor) else tensors_in(value):
                        yield Owned(name, tensor, key=str(key))

    def buckets(self) -> list[int]:
        """The bytes of each buffer in which DistributedDataParallel exchanges gradients."""
        return [
            size
            for _, root in self._roots()
            for module in root.modules()
            if isinstance(module, nn.parallel.DistributedDataParallel)
            for size in bucket_sizes(module)
        ]

    def _roots(self) -> list[tuple[str, nn.Module]]:
        """The modules that are in no other one, each with the prefix of its names.

        The only one that has parameters needs none. Others begin with the name of their class.
        """
        alive = [module for ref in self._modules.values() if (module := ref()) is not None]
        inner = {id(child) for module in alive for child in module.modules() if child is not module}
        roots = [module for module in alive if id(module) not in inner]
        owning = [root for root in roots if _owns_anything(root)] or roots
        seen: Counter[str] = Counter()
        prefixed: list[tuple[str, nn.Module]] = []
        for root in roots:
            kind = type(root).__name__
            seen[kind] += 1
            prefix = kind if seen[kind] == 1 else f"{kind} {seen[kind]}"
            prefixed.append(("" if len(owning) == 1 and owning[0] is root else prefix, root))
        return prefixed

    def _paths(self) -> dict[int, tuple[str, str]]:
        return {
            id(module): (path, type(module).__name__)
            for prefix, root in self._roots()
            for path, module in root.named_modules(prefix=prefix)
        }


def _note_memory(tensor: Tensor, memory: set[int]) -> None:
    """Note the address of a tensor's memory on a GPU."""
    if tensor.is_cuda and tensor.layout is torch.strided:
        memory.add(tensor.untyped_storage().data_ptr())


def _owns_anything(module: nn.Module) -> bool:
    """Whether a module has a parameter or a buffer."""
    return next(module.parameters(), None) is not None or next(module.buffers(), None) is not None
