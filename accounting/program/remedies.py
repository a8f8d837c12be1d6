"""What might have helped against an out of memory, by plain rules on what was measured.

The rules come in the order of what they cost the program, the cheapest first, and at most three
speak:

1. `nothing`: the request is larger than the device. Then no other rule speaks.
2. `limit`: the device had as much free as was wanted, and the program's own limit denied it.
3. `others`: more than half of the device is held outside of the program's allocator, and it is not
   known that no other process is there.
4. `expandable`: as much as was wanted lay free in pieces, outside of expandable segments.
5. `no_grad`: a module in evaluation mode ran, and kept what a backward pass would need.
6. `zero_grad`: outside of backward passes and optimizers' steps there were gradients; with what was
   free, they would have been enough.
7. `optimizer`: an optimizer made the state of parameters that had none.
8. `batch`: in forward or backward, more was in use for neither parameters nor gradients nor state
   than for any of these. That is activations, but also the batch itself and temporaries.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from vramtop.protocol.observed.autopsy import Autopsy, Suggestion
from vramtop.protocol.observed.record import OutOfMemory

_MOST = 3


def remedies(denied: OutOfMemory, found: Autopsy) -> tuple[Suggestion, ...]:
    """What might have helped; `found` has the figures of the denied request."""
    if denied.device_total and denied.wanted > denied.device_total:
        return (Suggestion("nothing", denied.device_total),)
    return tuple(islice(_of_any(denied, found), _MOST))


def _of_any(denied: OutOfMemory, found: Autopsy) -> Iterator[Suggestion]:
    if denied.free < denied.wanted <= denied.device_free:
        yield Suggestion("limit", denied.device_free)
    if 2 * found.outside > denied.device_total and found.others != ():
        yield Suggestion("others", found.outside)
    pieces = found.free_pieces
    expandable = any(segment.expandable for segment in denied.segments)
    if pieces is not None and pieces.bytes >= denied.wanted and not expandable:
        yield Suggestion("expandable", pieces.bytes)
    if denied.phase == "forward" and denied.evaluates and denied.differentiable:
        yield Suggestion("no_grad", found.rest)
    gradients = found.gradients or 0
    stale = denied.phase not in ("backward", "optimizer")
    if stale and gradients and gradients + denied.free >= denied.wanted:
        yield Suggestion("zero_grad", gradients)
    if denied.new_state:
        yield Suggestion("optimizer", denied.optimizer_state)
    owned = max(found.parameters, gradients, found.optimizer_state)
    if denied.phase in ("forward", "backward") and found.rest > owned:
        yield Suggestion("batch", found.rest)
