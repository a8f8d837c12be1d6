from __future__ import annotations

import pytest
from vramtop.tui.gpus.conclusions import Unavailable
from vramtop.tui.widgets.log_lines import log_lines


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (Unavailable("the driver is gone"), "the driver is gone"),
        (
            Unavailable("Unknown Error", "driver_version"),
            "driver: driver version not available: Unknown Error",
        ),
        (
            Unavailable("Insufficient Permissions", "sm_clock", 0),
            "GPU 0: sm clock not available: Insufficient Permissions",
        ),
        (
            Unavailable("Not Supported", "processes", 0, 3),
            "GPU 0 instance 3: processes not available: Not Supported",
        ),
        (Unavailable("the GPU is lost", None, 1), "GPU 1: the GPU is lost"),
    ],
)
def test_what_nvml_does_not_give_is_a_line_with_the_reason(entry: Unavailable, line: str) -> None:
    assert log_lines(entry) == [line]
