from __future__ import annotations

import msgspec
from vramtop.protocol.split import AllocatorMemory, Reading
from vramtop.tui.words.overhead import overhead


def test_the_allocator_says_what_it_holds_beside_the_categories() -> None:
    mib, end = 2**20, Reading(requested=1000, allocated=1536)
    memory = AllocatorMemory({"zero_grad": end}, 2**28, workspace=64 * mib)
    rounding = "rounding 536 B: tensors fill whole blocks of 512 B"
    assert overhead(memory) == ("workspace 64.0 MiB: kept by operators", rounding)
    alike = msgspec.structs.replace(memory, workspace_each=32 * mib)
    assert overhead(alike)[0] == "workspace 64.0 MiB: cuBLAS keeps 32.0 MiB a handle"


def test_an_allocator_that_tells_less_has_less_beside_the_categories() -> None:
    assert overhead(AllocatorMemory({"zero_grad": Reading(None, 1536)}, 2**28)) == ()
