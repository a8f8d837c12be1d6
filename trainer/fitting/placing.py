"""Where a training's tensors lie in the memory of a CUDA device.

PyTorch's allocator gives blocks out of segments. A free block between two live ones stays with the
allocator, so it depends on the order of allocations how large a batch fits beside the model and the
optimizer's state. Any of the orders here begins with all of their memory free and the cache empty.
"""

from __future__ import annotations

from vramtop.trainer.device import memory
from vramtop.trainer.training.training import Snapshot, Training, Unwatched

RESTORED = None  # the optimizer's state is allocated right behind the parameters, by no step
LEAST = 1  # made by a step on one image: its blocks lie between the smallest ones


def orders(size: int, device_type: str) -> tuple[int | None, ...]:
    """The orders in which a batch size is tried on a device of this `device_type`.

    Each is the batch size of the step that makes the optimizer's state: as in a training that
    starts with `size` itself, or as after others. Only CUDA's allocator keeps segments.
    """
    return (LEAST, RESTORED, size) if device_type == "cuda" else (RESTORED,)


def place(
    training: Training, snapshot: Snapshot, made_at: int | None, accumulation: int = 1
) -> None:
    """Allocate the memory of a training on a CUDA device again, and be what the snapshot was.

    Raises the error of the allocator where there is no room; the training is not usable then until
    it was placed or restored again.
    """
    training.evict()
    memory.release(training.device)
    if made_at is RESTORED:
        training.restore(snapshot)
        return
    training.readmit()
    training.batches.seek(1, 0)
    for _ in range(2):  # the second one begins with the state in place
        training.step(made_at, Unwatched(), accumulation)
    training.refill(snapshot)
