"""Runs a training of `split_programs.py` under one of the tools, for `splits.py`.

    python benchmarks/split_run.py plain|counted|memtracker|profiler PROGRAM DEVICE STEPS

Prints as JSON the seconds of a step, the seconds that reading the results took, and the split at
the peak where the tool has one. The first steps are plain, so that all state is there.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from split_counted import GRAIN, Counted, Split
from split_programs import PROGRAMS, Moment, Training
from torch import Tensor

WARM_UP = 2
# What the tools' words mean.
_OF_TRACKER = {
    "Parameter": "parameters",
    "Buffer": "parameters",
    "Gradient": "gradients",
    "Activation": "activations",
    "Temp": "temporaries",
    "Optstate": "optimizer_state",
}
_OF_PROFILER = {
    "PARAMETER": "parameters",
    "OPTIMIZER_STATE": "optimizer_state",
    "INPUT": "batch_data",
    "TEMPORARY": "temporaries",
    "ACTIVATION": "activations",
    "GRADIENT": "gradients",
    "AUTOGRAD_DETAIL": "temporaries",
}


class Tool:
    """No tool: the training as it is."""

    def __init__(self, training: Training, device: str) -> None:
        self.training, self.device = training, device

    @contextmanager
    def entered(self) -> Iterator[None]:
        """While all steps run."""
        yield

    def each(self) -> AbstractContextManager[None]:
        """While one step runs."""
        return nullcontext()

    def at(self, moment: Moment, *batch: Tensor) -> None:
        """The training is at the end of this phase."""

    def splits(self) -> list[Split]:
        """The split at the peak, if the tool has one."""
        return []


class MemTracker(Tool):
    """PyTorch's own tracker for distributed trainings."""

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Track all that is known before, and then each step."""
        from torch.distributed._tools.mem_tracker import MemTracker as Tracker

        self._tracker = Tracker()
        self._tracker.track_external(*self.training.modules, *self.training.optimizers)
        with self._tracker:
            yield

    def at(self, moment: Moment, *_: Tensor) -> None:
        """It tracks one call of each module, unless it is told to forget the last."""
        if moment == "load":
            self._tracker.reset_mod_stats()

    def splits(self) -> list[Split]:
        """Its snapshot of the peak."""
        by_device = self._tracker.get_tracker_snapshot("peak")
        (told,) = (each for at, each in by_device.items() if str(at).startswith(self.device[:4]))
        split: Split = {}
        for word, size in told.items():
            if word != "Total" and size:
                name = _OF_TRACKER.get(word.value, "unknown")
                split[name] = split.get(name, 0) + size
        return [split]


class Profiler(Tool):
    """The timeline of memory of PyTorch's profiler, over all steps."""

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Record with all that the timeline needs."""
        from torch.profiler import ProfilerActivity, profile

        # CUDA's own activities need a driver; the allocator's events come without them.
        with profile(
            activities=[ProfilerActivity.CPU],
            profile_memory=True,
            record_shapes=True,
            with_stack=True,
        ) as self._profile:
            yield

    def splits(self) -> list[Split]:
        """The highest point of the timeline that `export_memory_timeline` writes."""
        from torch.profiler._memory_profiler import _CATEGORY_TO_INDEX, MemoryProfileTimeline

        timeline = MemoryProfileTimeline(self._profile._memory_profile())
        _, sizes = timeline._coalesce_timeline(self.device)
        highest = max(sizes, key=sum)
        split: Split = {}
        for category, index in _CATEGORY_TO_INDEX.items():
            name = _OF_PROFILER[category.name] if category else "unknown"
            if size := highest[index + 1]:
                split[name] = split.get(name, 0) + size
        return [split]


def timed(tool: Tool, steps: int) -> dict[str, object]:
    """Seconds a step under the tool, and what it then tells."""
    plain = Tool(tool.training, tool.device)
    for _ in range(WARM_UP):
        tool.training.step(plain.at)
    with tool.entered():
        begin = time.perf_counter()
        for _ in range(steps):
            with tool.each():
                tool.training.step(tool.at)
        end = time.perf_counter()
    splits = tool.splits()
    return {
        "seconds": (end - begin) / steps,
        "reading": time.perf_counter() - end,
        "splits": splits,
    }


def counted(make: Callable[[str], Training], device: str) -> dict[str, object]:
    """The split at the peak of the fourth step, as the training counts itself.

    On a GPU there is a second one, with sizes rounded up as the caching allocator does.
    """
    with Counted(device) as count:
        training = make(device)

        def at(moment: Moment, *batch: Tensor) -> None:
            count.at(training, moment, batch)

        for _ in range(WARM_UP + 2):
            training.step(at)
            count.step_done(training)
    grains = (1, GRAIN) if device.startswith("cuda") else (1,)
    return {"splits": [count.peak(grain) for grain in grains]}


def main(tool: str, program: str, device: str, steps: str) -> None:
    """Run, and print what it took and told."""
    torch.manual_seed(42)
    make = PROGRAMS[program]
    if tool == "counted":
        print(json.dumps(counted(make, device)))
        return
    kinds = {"memtracker": MemTracker, "profiler": Profiler}
    print(json.dumps(timed(kinds.get(tool, Tool)(make(device), device), int(steps))))


if __name__ == "__main__":
    main(*sys.argv[1:])
