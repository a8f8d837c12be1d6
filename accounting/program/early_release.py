"""What if gradients were released right after the optimizer's step?

It is exact where `zero_grad` releases them later in the step, and nothing but `.grad` holds them.
Where it fills them with zeros, backward makes them anew, and they count from its beginning on: the
step would hold that much at most.
"""

from __future__ import annotations

from collections.abc import Iterator

from .changed import Change, Idea, Recorded


def gradients_released(recorded: Recorded) -> Iterator[Idea]:
    """The gradients that the second period begins with go at once."""
    backwards = [each.begin for each in recorded.timeline.watched if each.since.kind == "backward"]
    if not backwards or not _begins_after_the_only_step(recorded):
        return
    now, backward = recorded.step.cut + 1, backwards[0]
    made = _made_in_backward(recorded)
    released, zeroed = [], []
    for block in recorded.of("gradients"):
        if block.birth is not None and block.birth >= recorded.step.cut:
            continue
        if block.release is None:
            # In a bucket, or in a graph of CUDA's, backward does not make it anew.
            if block.size in made and not recorded.step.bucket_sizes:
                zeroed.append(Change(now, backward, -block.size))
        elif block.release <= backward:
            released.append(Change(now, block.release, -block.size))
    yield Idea(
        "gradients released after the optimizer's step",
        "optimizer.zero_grad() after optimizer.step()",
        "at_most" if zeroed else "exact",
        released + zeroed,
    )


def _begins_after_the_only_step(recorded: Recorded) -> bool:
    """Whether the second period begins where an optimizer's step ends, and has one such step."""
    marks = recorded.step.marks
    periods = [number for number, mark in enumerate(marks) if mark.kind == "period"]
    before = marks[periods[1] - 1]
    after_step = before.kind == "optimizer_end" and before.place == recorded.step.cut
    return after_step and len(recorded.optimizer_steps()) == 1


def _made_in_backward(recorded: Recorded) -> set[int]:
    """The sizes of all that backward makes."""
    sizes = recorded.step.events.sizes
    return {
        size
        for stretch in recorded.timeline.watched
        if stretch.phase == "backward"
        for size in sizes[stretch.begin : stretch.end]
    }
