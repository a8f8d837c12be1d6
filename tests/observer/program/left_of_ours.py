"""What a process has of an observer, and what children of a training do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import piloted
import torch
from torch.nn.modules import module as modules
from watched import classifier, hooks_in


def left() -> list[str]:
    """Functions, hooks and modes of an observer's, and open sockets."""
    found = [
        *hooks_in(),
        *modules._global_parameter_registration_hooks.values(),
        modules._has_any_global_hook,
        torch.inference_mode.__enter__,
        torch.inference_mode.__exit__,
    ]
    return [*(str(each) for each in found if _is_ours(each)), *_sockets()]


def _is_ours(each: object) -> bool:
    file = getattr(getattr(each, "__code__", None), "co_filename", "")
    return file.startswith(f"{piloted.OBSERVER}/") or "vramtop" in type(each).__module__


def _sockets() -> Iterator[str]:
    for name in Path("/proc/self/fd").iterdir():
        try:
            target = str(name.readlink())
        except FileNotFoundError:
            continue  # that of the listing itself
        if target.startswith("socket:"):
            yield target


def noted() -> list[str]:
    """What CUDA's allocator notes in this child of a process that uses CUDA."""
    if not torch.cuda._is_in_bad_fork():
        return []  # it has none
    before = _annotations()
    with torch.profiler.record_function("in a child"):
        pass
    recording = ["a history"] if torch._C._cuda_isHistoryEnabled() else []
    return recording + ["annotations"] * (_annotations() != before)


def _annotations() -> int:
    """How many annotations the allocator has noted."""
    return len(torch._C._cuda_memorySnapshot(None).get("external_annotations", ()))


def work(_: int = 0) -> list[str]:
    """What is left of an observer in this process before and after it works with PyTorch."""
    before = [*left(), *noted()]
    model = classifier()
    with torch.no_grad():
        model(torch.ones(2, 12))
    with torch.inference_mode():
        model(torch.ones(2, 12))
    return [*before, *left()]


class Rows(torch.utils.data.Dataset[list[str]]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, _: int) -> list[str]:
        return work()
