from __future__ import annotations

import msgspec
import pytest
from made import HELLO, configured
from screens import screen
from vramtop.protocol.messages import Layer
from vramtop.tui.widgets.step.layers import LayerTable

LAYERS = (
    Layer("Flatten", (784,), 0, 0, "Flatten", 0, 0),
    Layer("Linear 784 → 128", (128,), 100_480, 401_920, "Linear", 100_352, 128),
    Layer("ReLU", (128,), 0, 0, "ReLU", 0, 0),
    Layer("Linear 128 → 10", (10,), 1_290, 5_160, "Linear", 1_280, 10),
)
MODEL = msgspec.structs.replace(configured(), layers=LAYERS)


async def test_each_layer_has_a_row_and_the_sum_is_the_model() -> None:
    async with screen(200, 60, HELLO, MODEL) as seen:
        (table,) = seen.app.query(LayerTable)
        lines = [line.plain for line in table.draw(LAYERS, 65, 8).split("\n")]
        assert [line.split() for line in lines] == [
            ["layer", "output", "weights", "biases", "parameters", "bytes"],
            ["Flatten", "784", "–", "–", "–", "–"],
            ["Linear", "784", "→", "128", "128", "100,352", "128", "100,480", "392.5", "KiB"],
            ["ReLU", "128", "–", "–", "–", "–"],
            ["Linear", "128", "→", "10", "10", "1,280", "10", "1,290", "5.04", "KiB"],
            ["Model", "101,632", "138", "101,770", "397.5", "KiB"],
        ]
        assert all(line in seen.text for line in ("Linear 784 → 128", "101,770", "392.5 KiB"))


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (62, "output weights biases parameters bytes"),
        (61, "output weights biases bytes"),
        (50, "output weights biases bytes"),
        (49, "output parameters bytes"),
        (30, "output parameters bytes"),
    ],
)
async def test_the_columns_are_those_that_there_is_room_for(width: int, titles: str) -> None:
    async with screen(200, 60, HELLO, MODEL) as seen:
        (table,) = seen.app.query(LayerTable)
        head, *lines = [line.plain for line in table.draw(LAYERS, width, 8).split("\n")]
        assert f"layer {titles}".startswith(" ".join(head.split()))
        assert "101,770" in lines[-1]
        assert all(len(line) <= max(width, 40) for line in lines)


async def test_where_layers_have_no_room_the_sum_is_still_of_all() -> None:
    async with screen(200, 60, HELLO, MODEL) as seen:
        (table,) = seen.app.query(LayerTable)
        lines = [line.plain.split() for line in table.draw(LAYERS, 49, 4).split("\n")]
        assert lines[1:] == [
            ["Flatten", "784", "–", "–"],
            ["…", "3", "more"],
            ["Model", "101,770", "397.5", "KiB"],
        ]
