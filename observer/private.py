"""Access to PyTorch's private names but CUDA's. No other module of observer or trainer uses any.

All are the same in PyTorch 2.9, 2.10 and 2.14, except where a docstring says otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, UntypedStorage
from torch._ops import OpOverload
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    is_traceable_wrapper_subclass,
)
from torch.utils._python_dispatch import _disable_current_modes as without_dispatch_modes
from torch.utils._pytree import tree_iter, tree_map_only
from torch.utils.hooks import RemovableHandle

if TYPE_CHECKING:
    from torch._subclasses.fake_tensor import FakeTensorMode

__all__ = (
    "TorchDispatchMode",
    "is_traceable_wrapper_subclass",
    "tree_iter",
    "tree_map_only",
    "without_dispatch_modes",
)

# ---- tensors and storages -------------------------------------------------------------------


def storage_key(storage: UntypedStorage) -> int:
    """A number that no other storage has while this one is alive."""
    key: int = storage._cdata
    return key


def unwrapped(tensor: Tensor) -> Tensor:
    """The tensor that has memory within those of `torch.func`."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor


def has_storage(tensor: Tensor) -> bool:
    """Whether a tensor has memory of its own to ask for."""
    return bool(torch._C._has_storage(tensor))


def sparse_parts(tensor: Tensor) -> list[Tensor]:
    """The tensors that a sparse tensor consists of; none where its layout is unknown.

    The operators that fetch them are hidden from dispatch modes.
    """
    layout = tensor.layout
    with torch._C._DisableTorchDispatch():
        if layout is torch.sparse_coo:
            return [tensor._indices(), tensor._values()]
        if layout in (torch.sparse_csr, torch.sparse_bsr):
            return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
        if layout in (torch.sparse_csc, torch.sparse_bsc):
            return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return []


def fake_tensor_mode(*, allow_real_inputs: bool = False) -> FakeTensorMode:
    """A mode in which operators make tensors without contents. Its import is slow."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode(allow_non_fake_inputs=allow_real_inputs)


# ---- operators ------------------------------------------------------------------------------


def schema(operator: Callable[..., object]) -> torch._C.FunctionSchema | None:
    """The schema of an operator's arguments and results; None for a plain function."""
    return operator._schema if isinstance(operator, OpOverload) else None


def made_of_others(name: str) -> bool:
    """Whether the operator of this name runs other operators instead of a kernel of its own."""
    return torch._C._dispatch_has_kernel_for_dispatch_key(name, "CompositeImplicitAutograd")


# ---- modules and autograd -------------------------------------------------------------------

# The code that every call of a module runs, whether there are hooks or not.
MODULE_CALL = torch.nn.Module._call_impl.__code__
# The functions of `torch.autograd` through which every backward pass goes: the first makes the
# gradients of the outputs, where the caller gives none.
BACKWARD_OUTPUTS = "_make_grads"
BACKWARD_ENGINE = "_engine_run_backward"
# The code that runs as long as a backward pass, in the thread that called for it.
BACKWARD_CODES = (torch.autograd.backward.__code__, torch.autograd.grad.__code__)


def is_made(module: torch.nn.Module) -> bool:
    """Whether a module's constructor has run, so that it can be asked for its children."""
    return "_modules" in module.__dict__


def bucket_sizes(module: torch.nn.parallel.DistributedDataParallel) -> list[int]:
    """The bytes of each buffer in which gradients are exchanged; none before the first backward."""
    told: dict[str, object] = module._get_ddp_logging_data()  # type: ignore[no-untyped-call]
    sizes = str(told.get("rebuilt_bucket_sizes") or told.get("bucket_sizes") or "")
    return [int(size) for size in sizes.split(",") if size.strip().isdigit()]


def own_modules(module: torch.nn.Module) -> list[tuple[str, torch.nn.Module]]:
    """The modules that a module holds itself, by name."""
    return [(name, held) for name, held in list(module._modules.items()) if held is not None]


def own_tensors(module: torch.nn.Module) -> tuple[list[tuple[str, Tensor]], ...]:
    """The parameters, and the buffers, that a module holds itself, by name."""
    return tuple(
        [(name, tensor) for name, tensor in list(held.items()) if tensor is not None]
        for held in (module._parameters, module._buffers)
    )


# The function of `torch.nn.modules.module` by which compiled modules warn of hooks of all modules.
ANY_GLOBAL_HOOK = "_has_any_global_hook"


def global_hooks() -> int:
    """How many hooks of all modules there are."""
    module = torch.nn.modules.module
    return sum(
        len(hooks)
        for hooks in (
            module._global_forward_pre_hooks,
            module._global_forward_hooks,
            module._global_backward_pre_hooks,
            module._global_backward_hooks,
        )
    )


def forget_hook(handle: RemovableHandle) -> None:
    """Remove a hook of all modules, with what PyTorch would leave behind."""
    handle.remove()
    torch.nn.modules.module._global_forward_hooks_with_kwargs.pop(handle.id, None)


def autocast_itemsize(device_type: str) -> int:
    """The bytes of an element of the copies that autocast keeps; 0 where it keeps none now."""
    if torch.is_autocast_cache_enabled() and torch.is_autocast_enabled(device_type):
        return torch.get_autocast_dtype(device_type).itemsize
    return 0


def saved_tensors(
    node: torch.autograd.graph.Node, names: dict[type, tuple[str, ...]]
) -> list[Tensor]:
    """What a node of the graph keeps for the backward pass; `names` remembers where, by class.

    What hooks have packed is left out, since unpacking it may compute it again. Older PyTorch does
    not tell of hooks; there everything is left out.
    """
    if not hasattr(torch._C._autograd.SavedTensor, "unpack_hook"):
        return []
    found: list[Tensor] = []
    kind = type(node)
    if kind not in names:
        names[kind] = tuple(name for name in dir(kind) if name.startswith("_raw_saved_"))
    for name in names[kind]:
        with suppress(RuntimeError):
            value = getattr(node, name)
            for saved in value if isinstance(value, tuple | list) else (value,):
                if saved is not None and saved.unpack_hook is None and saved.data is not None:
                    found.append(saved.data)
    return found


# The number of the backward pass that this thread runs a part of; negative outside of any.
graph_task: Callable[[], int] = torch._C._current_graph_task_id


def in_backward() -> bool:
    """Whether this thread runs a part of a backward pass."""
    return graph_task() >= 0


def current_node() -> torch.autograd.graph.Node | None:
    """The node of the graph that this thread computes in a backward pass; None outside of one."""
    node: torch.autograd.graph.Node | None = torch._C._current_autograd_node()
    return node


def thread_of(node: torch.autograd.graph.Node) -> torch.device:
    """The device whose thread computes a node: that of its first input on a GPU, else the CPU."""
    devices = [each.device for each in node._input_metadata]
    return next((each for each in devices if each.type != "cpu"), torch.device("cpu"))


def leaves_of(node: torch.autograd.graph.Node) -> list[Tensor]:
    """The leaves of the graph that a node's operator took, also through one of a single input.

    So a linear layer's node finds its weight, which was transposed before.
    """
    nearest = _nodes_before(node)
    for each in list(nearest):
        before = _nodes_before(each)
        nearest += before if len(before) == 1 else []
    leaves = [getattr(each, "variable", None) for each in (node, *nearest)]
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]


def _nodes_before(node: torch.autograd.graph.Node) -> list[torch.autograd.graph.Node]:
    return [each for each, _ in node.next_functions if each is not None]


# ---- torch.compile --------------------------------------------------------------------------

COMPILER = "torch._dynamo"
COMPILED_CALL = "_compiled_call_impl"  # what a module has that was compiled in place


def _imported(name: str) -> ModuleType | None:
    """A module that the program has imported; None where it is only being imported."""
    module = sys.modules.get(name)
    return None if getattr(getattr(module, "__spec__", None), "_initializing", False) else module


def compiles() -> bool:
    """Whether the program has asked `torch.compile` for anything."""
    frames = _imported("torch._dynamo.eval_frame")
    return frames is not None and any(list(frames.cached_backends.values()))


def compiled_from(module: torch.nn.Module) -> torch.nn.Module:
    """The module of which `torch.compile` made this one; itself where it did not."""
    frames = _imported("torch._dynamo.eval_frame")
    if frames is None or not isinstance(module, frames.OptimizedModule):
        return module
    original: torch.nn.Module = module.__dict__["_modules"]["_orig_mod"]
    return compiled_from(original)


def is_compiled(module: torch.nn.Module) -> bool:
    """Whether calls of this module run compiled code."""
    return compiled_from(module) is not module or module.__dict__.get(COMPILED_CALL) is not None


def is_traced() -> bool:
    """Whether what runs is only looked at: it is compiled, or becomes a graph."""
    return torch.compiler.is_compiling() or torch._C._is_tracing()


def was_compiled(code: CodeType) -> bool:
    """Whether `torch.compile` has compiled this code."""
    frames = _imported("torch._C._dynamo.eval_frame")
    return frames is not None and bool(frames._debug_get_cache_entry_list(code))


def compile_start_callbacks() -> list[Callable[..., None]] | None:
    """What PyTorch calls before it looks at what it compiles; None where it never compiled."""
    module = _imported("torch._dynamo.callback")
    callbacks: list[Callable[..., None]] | None = None
    if module is not None:
        callbacks = module.callback_handler.start_callbacks
    return callbacks


# ---- dispatch modes -------------------------------------------------------------------------


def dispatch_modes() -> list[object]:
    """The dispatch modes that this thread is in, the outermost first."""
    from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

    return list(_get_current_dispatch_mode_stack())


def may_change_modes() -> bool:
    """Whether a mode that is entered or left now stays so.

    Within a backward pass, and within the transforms of `torch.func`, all is as before afterwards.
    """
    return not in_backward() and torch._C._functorch.peek_interpreter_stack() is None


def leave_dispatch_mode(mode: TorchDispatchMode) -> None:
    """Take a mode off this thread's stack; modes that were entered after it stay there."""
    from torch.utils._python_dispatch import _pop_mode, _push_mode

    modes = dispatch_modes()
    if not any(mode is entered for entered in modes):
        return
    above = []
    while dispatch_modes()[-1] is not mode:
        above.append(_pop_mode())
    mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
    for entered in reversed(above):
        _push_mode(entered)


# ---- optimizers -----------------------------------------------------------------------------

# The function of PyTorch's optimizers that makes the state of parameters that have none yet.
NEW_STATE = "_init_group"


def foreach_devices() -> list[str]:
    """The types of device on which optimizers update many parameters with one operator."""
    from torch.utils._foreach_utils import _get_foreach_kernels_supported_devices

    return _get_foreach_kernels_supported_devices()


def skip_capture_check(optimizer: torch.optim.Optimizer) -> None:
    """Disable an optimizer's check before each step whether CUDA work is being captured.

    The check would make a context on a GPU. Its name depends on the version of PyTorch.
    """
    for name in ("_cuda_graph_capture_health_check", "_accelerator_graph_capture_health_check"):
        setattr(optimizer, name, _nothing)


def _nothing() -> None:
    pass
