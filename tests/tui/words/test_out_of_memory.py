"""The lines that report an out of memory, long and short."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from vramtop.protocol.lesson.messages import LessonOutOfMemory, WouldFit
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.split import Split
from vramtop.tui.words import out_of_memory

MIB = 2**20
EVENT = LessonOutOfMemory(
    batch_size=8192,
    needed=43 * MIB,
    limit=24 * MIB,
    phase="forward",
    operator="aten.relu.default",
    split=Split(),
    restored=64,
    detail="no",
    wanted=20 * MIB,
    free=MIB,
    back=Settings(batch_size=64),
)
FAILED = Settings(batch_size=8192)
FITS = WouldFit(FAILED, 24 * MIB, 3_294)


def headlines(
    event: LessonOutOfMemory, failed: Settings, answer: WouldFit | None = None
) -> tuple[str, ...]:
    return out_of_memory.headlines(event, failed, answer)


def test_its_headlines_grow_shorter_and_always_name_the_batch() -> None:
    assert headlines(EVENT, FAILED, FITS) == (
        "batch 8,192 out of memory, back to 64 · forward, relu wanted 20.0 MiB, 1.00 MiB free"
        " · 3,294 would fit (predicted)",
        "batch 8,192 out of memory, back to 64 · forward, relu · 3,294 would fit (predicted)",
        "batch 8,192 out of memory, back to 64 · 3,294 would fit (predicted)",
        "batch 8,192 out of memory, back to 64",
    )


@pytest.mark.parametrize(
    ("values", "back", "start"),
    [
        ({"optimizer": "sgd"}, {}, "batch 64 out of memory, back to adam · "),
        ({"hidden": 4096}, {}, "batch 64 out of memory, back to hidden 128 · "),
        ({"dataset": "cifar10"}, {}, "batch 64 out of memory, back to mnist · "),
        ({"budget": MIB}, {}, "batch 64 out of memory, back to no budget · "),
        ({"device": "cuda:1"}, {}, "batch 64 out of memory, back to auto · "),
        ({"accumulation": 16}, {}, "batch 64 ×16 out of memory, back to 64 ×1 · "),
        (
            {"accumulation": 16, "batch_size": 512},
            {"accumulation": 16},
            "batch 512 ×16 out of memory, back to 64 · ",
        ),
    ],
)
def test_the_way_back_is_named_by_what_sets_it_apart(
    values: dict[str, Any], back: dict[str, Any], start: str
) -> None:
    failed, returned = Settings(**values), Settings(**back)
    event = replace(
        EVENT, batch_size=failed.batch_size, accumulation=failed.accumulation, back=returned
    )
    assert headlines(event, failed)[0].startswith(start)


@pytest.mark.parametrize(
    ("values", "end"),
    [
        ({"operator": "batch", "phase": "load"}, "load, the batch wanted 20.0 MiB, 1.00 MiB free"),
        ({"phase": "model", "operator": ""}, "the model itself wanted 20.0 MiB, 1.00 MiB free"),
        ({"wanted": MIB + 1}, "forward, relu wanted 1,048,577 B, 1,048,576 B free"),
        ({"wanted": None, "operator": ""}, "back to 64 · forward"),
        ({"wanted": None, "operator": "", "phase": None}, "out of memory, back to 64"),
        ({"restored": None}, "relu wanted 20.0 MiB, 1.00 MiB free"),
    ],
)
def test_the_headline_has_all_that_is_known(values: dict[str, Any], end: str) -> None:
    assert headlines(replace(EVENT, **values), FAILED)[0].endswith(end)


def test_the_headline_says_where_not_even_one_image_would_fit() -> None:
    none = replace(FITS, largest=0)
    assert headlines(EVENT, FAILED, none)[0].endswith(" · not even batch 1 would fit (predicted)")
