"""The modules and optimizers of the program, and what they own. No tensor is kept alive."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from ..ownership import tensors_in
from ..private import (
    bucket_sizes,
    compiled_from,
    compiles,
    has_storage,
    is_compiled,
    is_made,
    own_modules,
    own_tensors,
)

Thing = TypeVar("Thing")


class Owned(NamedTuple):
    """A tensor and what its owner calls it.

    `key` says which of an optimizer's tensors it is. `trained` is False for a frozen parameter.
    """

    path: str
    tensor: Tensor
    key: str = ""
    trained: bool = False
    buffer: bool = False

    def weakly(self) -> WeaklyOwned:
        """The same, without keeping the tensor alive."""
        return WeaklyOwned(self.path, weakref.ref(self.tensor), self.trained, self.buffer)


class WeaklyOwned(NamedTuple):
    """A parameter or buffer, which may have gone meanwhile."""

    path: str
    reference: weakref.ref[Tensor]
    trained: bool
    buffer: bool

    def alive(self) -> Owned | None:
        """The tensor with its name, while there is one."""
        tensor = self.reference()
        if tensor is None:
            return None
        return Owned(self.path, tensor, trained=self.trained, buffer=self.buffer)


class Owners:
    """What was seen or found of the program's modules and optimizers.

    Modules are walked by what they hold, not by their methods, which a program may have replaced.
    """

    def __init__(self) -> None:
        self._modules: dict[int, weakref.ref[nn.Module]] = {}
        self._optimizers: dict[int, weakref.ref[torch.optim.Optimizer]] = {}
        self.memory: set[int] = set()

    def add_module(self, module: nn.Module) -> None:
        """Note a module that the program calls."""
        _add(self._modules, module)

    def add_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Note an optimizer of the program."""
        _add(self._optimizers, optimizer)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Those that are alive."""
        return _alive(self._optimizers)

    def optimizer_name(self, optimizer: int | None) -> str:
        """The class of the optimizer of this `id`; empty where there is none."""
        alive = {id(each): type(each).__name__ for each in self.optimizers()}
        return alive.get(optimizer or 0, "")

    def search(self) -> None:
        """Look through all objects for modules, optimizers, and the addresses of tensors.

        While it looks, no object can be freed. So this takes place in the program's own thread, and
        lets nothing else run.
        """
        base_of: dict[type, type] = {Tensor: Tensor, nn.Parameter: Tensor}
        for kind in (nn.Module, torch.optim.Optimizer):
            base_of |= dict.fromkeys(_classes(kind), kind)
        # There are hundreds of thousands; few are wanted.
        objects = [found for found in gc.get_objects() if type(found) in base_of]
        modules: list[nn.Module] = []
        self.memory = set()
        for found in objects:
            base = base_of[type(found)]
            if base is Tensor:
                _note_memory(found, self.memory)
            elif base is nn.Module and is_made(found):
                modules.append(found)
            elif base is torch.optim.Optimizer and "param_groups" in found.__dict__:
                self.add_optimizer(found)
        inner = {id(child) for module in modules for _, child in own_modules(module)}
        for module in modules:
            if id(module) not in inner:
                self.add_module(module)

    def module_paths(self) -> dict[int, tuple[str, str]]:
        """The path and the class of each module, by its `id`."""
        paths: dict[int, tuple[str, str]] = {}
        for prefix, root in self._roots():
            for path, module in _walk(root, prefix):
                paths.setdefault(id(module), (path, type(compiled_from(module)).__name__))
        for module in _alive(self._modules):
            paths.setdefault(id(module), paths[id(compiled_from(module))])
        return paths

    def outside_compiled(self) -> list[nn.Module] | None:
        """The modules whose calls do not run in compiled code; None where none is compiled.

        Left out are those of PyTorch's that compute otherwise where they have hooks.
        """
        if not compiles():
            return None
        every = [module for _, root in self._roots() for _, module in _walk(root, "")]
        every += _alive(self._modules)
        compiled = [module for module in every if is_compiled(module)]
        if not compiled:
            return None
        closed = {id(part) for top in compiled for _, part in _walk(top, "") if part is not top}
        for top in every:
            if isinstance(top, nn.TransformerEncoderLayer) and not is_compiled(top):
                closed.update(id(part) for _, part in _walk(top, ""))
        return list({id(each): each for each in every if id(each) not in closed}.values())

    def parameters(self) -> Iterator[Owned]:
        """All parameters and buffers, also parameters that only an optimizer knows."""
        known: set[int] = set()
        for prefix, root in self._roots():
            for path, module in _walk(root, prefix):
                parameters, buffers = own_tensors(module)
                for name, tensor in parameters:
                    if id(tensor) not in known:
                        known.add(id(tensor))
                        yield Owned(_join(path, name), tensor, trained=tensor.requires_grad)
                for name, tensor in buffers:
                    if id(tensor) not in known:
                        known.add(id(tensor))
                        yield Owned(_join(path, name), tensor, buffer=True)
        for optimizer in self.optimizers():
            place = 0
            for group in optimizer.param_groups:
                for tensor in group["params"]:
                    if id(tensor) not in known:
                        known.add(id(tensor))
                        name = f"parameter {place} of {type(optimizer).__name__}"
                        yield Owned(name, tensor, trained=tensor.requires_grad)
                    place += 1

    def of_module(self, module: nn.Module) -> set[int]:
        """The parameters in a module, by `id`."""
        return {id(tensor) for _, part in _walk(module, "") for _, tensor in own_tensors(part)[0]}

    def of_optimizer(self, optimizer: torch.optim.Optimizer) -> set[int]:
        """The parameters that an optimizer updates, by `id`."""
        return {id(tensor) for group in optimizer.param_groups for tensor in group["params"]}

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
            for _, module in _walk(root, "")
            if isinstance(module, nn.parallel.DistributedDataParallel)
            for size in bucket_sizes(module)
        ]

    def _roots(self) -> list[tuple[str, nn.Module]]:
        """The modules that are in no other one, each with the prefix of its names.

        Of modules that hold each other, it is the one that was seen first. The only one that has
        parameters needs no prefix. Others begin with the name of their class.
        """
        alive = {id(each): each for each in map(compiled_from, _alive(self._modules))}
        inner = {
            id(part)
            for module in alive.values()
            for _, part in _walk(module, "")
            if part is not module
        }
        roots = [module for key, module in alive.items() if key not in inner]
        if len(roots) < len(alive):
            reached = {id(part) for root in roots for _, part in _walk(root, "")}
            for key, module in alive.items():
                if key not in reached:
                    roots.append(module)
                    reached.update(id(part) for _, part in _walk(module, ""))
        owning = [root for root in roots if _owns_anything(root)] or roots
        seen: Counter[str] = Counter()
        prefixed: list[tuple[str, nn.Module]] = []
        for root in roots:
            kind = type(root).__name__
            seen[kind] += 1
            prefix = kind if seen[kind] == 1 else f"{kind} {seen[kind]}"
            prefixed.append(("" if len(owning) == 1 and owning[0] is root else prefix, root))
        return prefixed


def _classes(base: type) -> set[type]:
    """A class and all that derive from it."""
    known, waiting = set[type](), [base]
    while waiting:
        kind = waiting.pop()
        if kind not in known:
            known.add(kind)
            waiting += type.__subclasses__(kind)
    return known


def _add(known: dict[int, weakref.ref[Thing]], found: Thing) -> None:
    """Note an object by its `id`, which may have been that of one that has gone."""
    reference = known.get(id(found))
    if reference is None or reference() is not found:
        known[id(found)] = weakref.ref(found)


def _alive(known: dict[int, weakref.ref[Thing]]) -> list[Thing]:
    """Those that have not gone; the others are forgotten."""
    alive = []
    for key, reference in list(known.items()):
        found = reference()
        if found is None:
            known.pop(key, None)
        else:
            alive.append(found)
    return alive


def _walk(root: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    """A module and all in it with their paths, each once.

    What `torch.compile` made of a module has the same path as that module.
    """
    seen: set[int] = set()
    waiting = [(prefix, root)]
    while waiting:
        path, module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        yield path, module
        original = compiled_from(module)
        if original is not module:
            waiting.append((path, original))
        else:
            inner = [(_join(path, name), child) for name, child in own_modules(module)]
            waiting.extend(reversed(inner))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _note_memory(tensor: Tensor, memory: set[int]) -> None:
    """Note the address of a tensor's memory on a GPU."""
    if tensor.is_cuda and has_storage(tensor):
        memory.add(tensor.untyped_storage().data_ptr())


def _owns_anything(module: nn.Module) -> bool:
    """Whether a module has a parameter or a buffer."""
    return any(any(own_tensors(part)) for _, part in _walk(module, ""))
