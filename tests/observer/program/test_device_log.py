"""What a window notes on one device, with a recorder of which the test says what it saw."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from torch import Tensor, UntypedStorage
from vramtop.observer.program.device_log import DeviceLog
from vramtop.observer.program.lines import Lines
from vramtop.observer.program.owners import Owned
from vramtop.observer.program.recorder import Reading, Recorded

CPU = torch.device("cpu")
A, B, C = 1000, 2000, 3000  # addresses


class FakeRecorder:
    """It is at `place`, and has recorded these events: an address and a size each."""

    source: Literal["trace", "operators"] = "operators"

    def __init__(self) -> None:
        self.devices = [CPU]
        self.place = 0
        self.events: list[tuple[int, int]] = []
        self.blocks: dict[int, int] = {}
        self.asked: list[tuple[int, bool]] = []

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def read(self, _: torch.device) -> Reading:
        return Reading(self.place, 10 * self.place)

    def address(self, storage: UntypedStorage, *, older: bool) -> int:
        self.asked.append((storage.data_ptr(), older))
        return storage.data_ptr()

    def recorded(self, _: torch.device, lines: Lines) -> Recorded:
        addresses, sizes = (
            [address for address, _ in self.events],
            [size for _, size in self.events],
        )
        numbers = [lines.add_text(f"train.py:{place}") for place in range(len(sizes))]
        return Recorded(addresses, sizes, numbers, self.blocks, {A: numbers[0]} if numbers else {})


@pytest.fixture
def recorder() -> FakeRecorder:
    return FakeRecorder()


@pytest.fixture
def log(recorder: FakeRecorder) -> DeviceLog:
    return DeviceLog(recorder, CPU)


def _told(log: DeviceLog, *bounds: int) -> dict[str, Any]:
    return log.message(bounds, Lines())


def _seen(log: DeviceLog, *bounds: int) -> list[tuple[int, int, str, str]]:
    """Place, address, owner and path of each sighting."""
    told = _told(log, *bounds)
    return [
        (place, address, owner, told["names"][name][0])
        for place, address, owner, name, _ in told["sightings"]
    ]


def test_places_begin_with_the_first_period(recorder: FakeRecorder, log: DeviceLog) -> None:
    for recorder.place, kind in ((2, "window"), (3, "call"), (5, "call_end"), (6, "backward")):
        log.mark(kind)
    recorder.events = [(A, 8)] * 7
    recorder.blocks = {A: 8}
    told = _told(log, 1, 2, 3)
    assert told["marks"] == [
        [0, "period", 30, None, None],
        [2, "call_end", 50, None, None],
        [2, "period", 50, None, None],
        [3, "backward", 60, None, None],
        [3, "period", 60, None, None],
    ]
    assert told["cut"] == 2
    assert (told["device"], told["source"], told["hardware"]) == ("cpu", "operators", None)


def test_events_are_those_between_the_outer_bounds(recorder: FakeRecorder, log: DeviceLog) -> None:
    recorder.events = [(A, 8), (B, 16), (A, -8), (A, 24), (B, -16), (C, 4)]
    recorder.blocks = {A: 24, C: 4}
    for recorder.place in (1, 2, 4):
        log.mark("call")
    told = _told(log, 0, 1, 2)
    assert told["events"]["addresses"] == [B, A, A]
    assert told["events"]["sizes"] == [16, -8, 24]
    assert [told["lines"][line] for line in told["events"]["lines"]] == [
        "train.py:1", "train.py:2", "train.py:3",
    ]  # fmt: skip
    # What came after the end is taken back: B is there again, and C not yet.
    assert dict(told["blocks"]) == {A: 24, B: 16}


def test_a_block_that_is_older_has_the_line_that_the_allocator_knows(
    recorder: FakeRecorder, log: DeviceLog
) -> None:
    recorder.events, recorder.blocks = [(B, 8)], {A: 16, B: 8}
    for recorder.place in (0, 0, 1):
        log.mark("call")
    told = _told(log, 0, 1, 2)
    assert told["blocks"] == [(A, 16), (B, 8)]
    assert told["block_lines"] == [told["lines"].index("train.py:0"), -1]


def test_an_allocation_is_the_modules_that_runs_from_there_on(
    recorder: FakeRecorder, log: DeviceLog
) -> None:
    recorder.events = [(A, 8), (B, 8), (A, -8), (C, 8), (A, 8)]
    recorder.blocks = {A: 8, B: 8, C: 8}
    log.mark("call")
    for recorder.place, module in ((1, 7), (3, 4), (4, -1)):
        log.runs(module)
    log.mark("call")
    recorder.place = 5
    log.mark("call_end")
    assert _told(log, 0, 1, 2)["events"]["modules"] == [-1, 7, -1, 4, -1]


def test_a_mark_stands_where_it_was_expected(recorder: FakeRecorder, log: DeviceLog) -> None:
    log.mark("window")
    recorder.place = 1
    log.expect_mark()
    recorder.place = 3
    log.mark("backward", expected=True)
    log.mark("backward_end")
    recorder.events, recorder.blocks = [(A, 8), (A, -8), (A, 8)], {A: 8}
    places = [(place, kind) for place, kind, *_ in _told(log, 0, 1, 2)["marks"]]
    assert places == [
        (0, "period"), (1, "backward"), (1, "period"), (3, "backward_end"), (3, "period"),
    ]  # fmt: skip


def _marks(recorder: FakeRecorder, log: DeviceLog, *places: int) -> None:
    for recorder.place in places:
        log.mark("call")


def _finish(recorder: FakeRecorder, log: DeviceLog) -> tuple[int, int, int]:
    """Two more marks, after 9 events; the bounds that contain everything."""
    recorder.events, recorder.blocks = (
        [(place, 8) for place in range(9)],
        dict.fromkeys(range(9), 8),
    )
    _marks(recorder, log, 8, 9)
    last = len(log._marks) - 1
    return 0, last - 1, last


def test_a_sighting_is_here_or_at_an_earlier_mark(recorder: FakeRecorder, log: DeviceLog) -> None:
    images, labels = torch.zeros(2), torch.zeros(3)
    _marks(recorder, log, 0, 2, 4)
    log.sight("batch_data", [Owned("images", images)], older=False)
    log.sight("batch_data", [Owned("labels", labels)], older=True, mark=1)
    assert recorder.asked == [(images.data_ptr(), False), (labels.data_ptr(), True)]
    assert _seen(log, *_finish(recorder, log)) == [
        (4, images.data_ptr(), "batch_data", "images"),
        (2, labels.data_ptr(), "batch_data", "labels"),
    ]


def test_sightings_outside_the_periods_are_left_out(recorder: FakeRecorder, log: DeviceLog) -> None:
    values = torch.zeros(2)
    _marks(recorder, log, 0, 3, 5, 7)
    for recorder.place in (2, 3, 7, 8):
        log.sight("parameters", [Owned("w", values)], older=True)
    recorder.events, recorder.blocks = (
        [(place, 8) for place in range(8)],
        dict.fromkeys(range(8), 8),
    )
    assert [place for place, *_ in _seen(log, 1, 2, 3)] == [0, 4]


def test_what_has_no_memory_here_is_not_sighted(recorder: FakeRecorder, log: DeviceLog) -> None:
    _marks(recorder, log, 0)
    log.sight(
        "parameters",
        [Owned("empty", torch.zeros(0)), Owned("meta", torch.zeros(3, device="meta"))],
        older=True,
    )
    sparse = torch.tensor([0.0, 1.0]).to_sparse()
    log.sight("parameters", [Owned("sparse", sparse)], older=True)
    values = {address for _, address, *_ in _seen(log, *_finish(recorder, log))}
    assert values == {sparse._indices().data_ptr(), sparse._values().data_ptr()}


@pytest.mark.parametrize("source", ["trace", "operators"])
def test_a_view_is_sighted_where_it_begins_if_addresses_are_those_of_memory(
    recorder: FakeRecorder, log: DeviceLog, source: Literal["trace", "operators"]
) -> None:
    recorder.source = source
    bucket = torch.zeros(8)
    _marks(recorder, log, 0)
    views = [Owned("w", bucket[:5]), Owned("b", bucket[5:]), Owned("none", bucket[8:])]
    log.sight("gradients", views, older=True)
    seen = [address - bucket.data_ptr() for _, address, *_ in _seen(log, *_finish(recorder, log))]
    assert seen == ([0, 20, 0] if source == "trace" else [0, 0, 0])


def test_a_name_tells_of_the_tensor_and_whether_it_is_all_of_its_memory(
    recorder: FakeRecorder, log: DeviceLog
) -> None:
    whole = torch.zeros(2, 3, dtype=torch.bfloat16)
    _marks(recorder, log, 0)
    log.sight("parameters", [Owned("w", whole, trained=True)], older=True)
    log.sight("parameters", [Owned("w", whole, trained=True)], older=True)
    log.sight("parameters", [Owned("w", whole[0], buffer=True)], older=True)
    told = _told(log, *_finish(recorder, log))
    assert [name for _, _, _, name, _ in told["sightings"]] == [0, 0, 1]
    assert told["names"] == [
        ["w", [2, 3], "bfloat16", 2, True, False, False],
        ["w", [3], "bfloat16", 2, False, True, True],
    ]


# ---- gradients and state ----------------------------------------------------------------------


def _parameter(path: str = "w") -> Owned:
    return Owned(path, torch.nn.Parameter(torch.zeros(4)), trained=True)


def test_a_gradient_is_noted_again_when_it_is_another_one(
    recorder: FakeRecorder, log: DeviceLog
) -> None:
    owned = _parameter()
    first, second = torch.zeros(4), torch.zeros(4)
    _marks(recorder, log, 0)
    for recorder.place, gradient in enumerate((None, first, first, second, None, second), 1):
        owned.tensor.grad = gradient
        log.sight_gradients([owned], again=False)
    log.sight_gradients([owned], again=True)
    assert _seen(log, *_finish(recorder, log)) == [
        (place, gradient.data_ptr(), "gradients", "w")
        for place, gradient in ((2, first), (4, second), (6, second), (6, second))
    ]


def test_a_gradient_that_lies_where_a_former_one_was_is_noted(
    recorder: FakeRecorder, log: DeviceLog
) -> None:
    owned = _parameter()
    _marks(recorder, log, 0)
    owned.tensor.grad = torch.zeros(4)
    log.sight_gradients([owned], again=False)
    before = id(owned.tensor.grad)
    owned.tensor.grad = None
    kept: list[Tensor] = []
    while not kept or id(kept[-1]) != before:
        kept.append(torch.zeros(4))
    owned.tensor.grad = kept[-1]
    assert id(owned.tensor.grad) == before
    log.sight_gradients([owned], again=False)
    assert [address for _, address, *_ in _seen(log, *_finish(recorder, log))][1:] == [
        kept[-1].data_ptr()
    ]


def test_state_that_lies_where_a_former_one_was_is_noted(
    recorder: FakeRecorder, log: DeviceLog
) -> None:
    _marks(recorder, log, 0)
    state = torch.zeros(4)
    before = id(state)
    log.sight_state([Owned("w", state, key="exp_avg")], again=False)
    log.sight_state([Owned("w", state, key="exp_avg")], again=False)
    del state
    kept: list[Tensor] = []
    while not kept or id(kept[-1]) != before:
        kept.append(torch.zeros(4))
    log.sight_state([Owned("w", kept[-1], key="exp_avg")], again=False)
    seen = _seen(log, *_finish(recorder, log))
    assert len(seen) == 2
    assert seen[1][1] == kept[-1].data_ptr()


def test_only_before_anything_happened_a_gradient_or_state_is_older(
    recorder: FakeRecorder, log: DeviceLog
) -> None:
    owned = _parameter()
    owned.tensor.grad = torch.zeros(4)
    state = [Owned("w", torch.zeros(4), key="exp_avg")]
    for _ in range(2):
        log.mark("window")
        log.sight_gradients([owned], again=True)
        log.sight_state(state, again=True)
    assert [older for _, older in recorder.asked] == [True, True, False, False]


def test_of_a_tensor_that_is_no_leaf_no_gradient_is_asked(
    recorder: FakeRecorder, log: DeviceLog
) -> None:
    computed = torch.zeros(4, requires_grad=True) * 2
    _marks(recorder, log, 0)
    log.sight_gradients([Owned("buffer", computed, buffer=True)], again=True)
    assert not recorder.asked
