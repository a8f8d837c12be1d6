"""What if parameters, gradients and optimizer state were in bfloat16?

Those in float32 halve, but for single numbers, as an optimizer's count of steps. Much of the
activations and temporaries would halve too; they count as they are, so the step would hold the new
peak at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vramtop.protocol.observed.record import Name

from .blocks import Block
from .changed import Idea, Recorded, all_its_life, bytes_of
from .naming import parts_of


def in_bfloat16(recorded: Recorded) -> Iterator[Idea]:
    """Half of each block that has nothing but such tensors."""
    parameters = recorded.names("parameters")
    yield Idea(
        "parameters, gradients and state in bfloat16",
        "model.to(torch.bfloat16), and its inputs",
        "at_most",
        [
            all_its_life(block, -block.size // 2)
            for block in recorded.of("parameters", "gradients", "optimizer_state")
            if _halves(recorded, block, parameters)
        ],
    )


def _halves(recorded: Recorded, block: Block, parameters: Mapping[str, Name]) -> bool:
    """Whether its owner's tensors fill the block, and are as those of a parameter in float32."""
    parts = parts_of(recorded.step, block, recorded.belongings[block], recorded.sightings)
    names = [part.name for part in parts]
    return sum(map(bytes_of, names)) == block.size and all(
        name.dtype == "float32"
        and name.shape
        and name.path in parameters
        and name.shape == parameters[name.path].shape
        for name in names
    )
