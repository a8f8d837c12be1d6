"""The order in which a training's memory is allocated on a CUDA device.

PyTorch's allocator cuts blocks out of segments. A free block between two live ones cannot be given
back, so the order of allocation decides how large a batch fits beside the model and the optimizer's
state. Each order here begins with all of their memory freed and an empty cache.
"""

from __future__ import annotations

from vramtop.trainer.device import memory
from vramtop.trainer.training.training import Snapshot, Training
from vramtop.trainer.training.watcher import Unwatched

RESTORED = None  # the optimizer's state is allocated right after the parameters, without a step
LEAST = 1  # the optimizer's state is made by a step on one image


def orders(size: int, device_type: str) -> tuple[int | None, ...]:
    """The orders of allocation in which a batch size is tried.

    An order is the batch size of the step that makes the optimizer's state, or `RESTORED`. A
    training that starts with `size` has that order, one that has grown has another. Only CUDA's
    allocator keeps segments.
    """
    return (LEAST, RESTORED, size) if device_type == "cuda" else (RESTORED,)


def place(training: Training, snapshot: Snapshot, order: int | None, accumulation: int = 1) -> None:
    """Restore the snapshot into memory that is allocated anew, in this order (see `orders`).

    Raises the allocator's error where there is no room. The training cannot be used then until it
    is placed or restored again.
    """
    training.evict()
    memory.release(training.device)
    if order is RESTORED:
        training.restore(snapshot)
        return
    training.readmit()
    training.batches.seek(1, 0)
    for _ in range(2):  # the second begins with the optimizer's state in place
        training.step(order, Unwatched(), accumulation)
    training.refill(snapshot)
