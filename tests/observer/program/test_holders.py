"""Who holds a tensor: each way in which a program can keep one, by the name that it has there."""

from __future__ import annotations

import gc
import logging
import logging.handlers
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from vramtop.observer.program import holders as module
from vramtop.observer.program.holders import holders

CPU = torch.device("cpu")
HERE = "test_holders.py"
history: list[Tensor] = []
cache: dict[str, Any] = {}
logs: list[dict[str, Tensor]] = []
errors: list[Exception] = []
records = logging.handlers.MemoryHandler(1 << 20, flushLevel=logging.CRITICAL + 1)
means: dict[str, Tensor] = {}


def address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def name(at: int) -> str:
    """The name of what holds the memory at one address."""
    return ends_here(holders(CPU, [at]).get(at, ""))


def ends_here(text: str) -> str:
    """With this file's name only, wherever the tests are started."""
    return text.replace(f"observer/program/{HERE}", HERE).replace(f"tests/{HERE}", HERE)


@pytest.fixture(autouse=True)
def time_enough_and_nothing_held(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "LIMIT_SECONDS", 30.0)
    yield
    for each in (history, cache, logs, errors, records.buffer, means):
        each.clear()


class Trainer:
    best = torch.ones(3)

    def __init__(self) -> None:
        self.losses = [torch.ones(2) for _ in range(3)]
        self.mean = torch.ones(5)


class Slotted:
    __slots__ = ("buffer",)

    def __init__(self) -> None:
        self.buffer = torch.ones(5)


def test_all_tensors_of_a_list_in_a_module_have_its_name() -> None:
    history.extend(torch.ones(2) for _ in range(312))
    places = [address(each) for each in history]
    found = holders(CPU, places)
    assert list(map(ends_here, map(found.__getitem__, places))) == [f"history in {HERE}"] * 312


def test_views_of_what_no_variable_holds_name_its_memory() -> None:
    history.append(torch.ones(8).detach()[:2])
    at = address(history[0])
    assert name(at) == f"history in {HERE}"


def test_one_of_a_dictionary_is_named_with_its_key_and_several_by_the_dictionary() -> None:
    cache["x"], cache["y"] = torch.ones(2), torch.ones(2)
    at = [address(cache["x"]), address(cache["y"])]
    assert name(at[0]) == f"cache['x'] in {HERE}"
    assert {ends_here(each) for each in holders(CPU, at).values()} == {f"cache in {HERE}"}


def test_what_is_deep_in_containers_has_the_outermost_ones_name() -> None:
    logs.append({"loss": torch.ones(2)})
    cache["many"] = [(torch.ones(3),)]
    at = [address(logs[0]["loss"]), address(cache["many"][0][0])]
    assert name(at[0]) == f"logs in {HERE}"
    assert name(at[1]) == f"cache['many'] in {HERE}"


def test_attributes_are_named_with_their_class() -> None:
    trainer, slotted = Trainer(), Slotted()
    at = [address(each) for each in (trainer.mean, trainer.losses[1], Trainer.best, slotted.buffer)]
    found = holders(CPU, at)
    assert [ends_here(found[each]) for each in at] == [
        f"mean of Trainer in {HERE}", f"losses of Trainer in {HERE}",
        f"best of class Trainer in {HERE}", f"buffer of Slotted in {HERE}",
    ]  # fmt: skip
    assert trainer.mean.shape == (5,)
    assert slotted.buffer.shape == (5,)


def test_a_closure_and_a_generator_hold_what_they_use() -> None:
    def make() -> Callable[[], list[Tensor]]:
        kept = [torch.ones(3)]

        def use() -> list[Tensor]:
            return kept

        return use

    def steps() -> Iterator[int]:
        state = torch.ones(4)
        yield address(state)
        yield len(state)

    use, going = make(), steps()
    at = address(use()[0])
    assert name(at) == f"kept in the closure of use() of {HERE}"
    assert name(next(going)) == f"state in steps() of {HERE}"
    assert next(going) == 4


def test_functions_that_run_hold_their_variables_in_any_thread() -> None:
    places, over = [], threading.Event()

    def other() -> None:
        inner = torch.ones(4)
        places.append(address(inner))
        started.set()
        over.wait()
        del inner

    started = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    started.wait()
    loss = torch.ones(4)
    at = address(loss)
    found = holders(CPU, [at, *places])
    function = sys._getframe().f_code.co_name
    assert ends_here(found[at]) == f"loss in {function}() of {HERE}"
    assert ends_here(found[places[0]]) == f"inner in other() of {HERE}"
    over.set()
    thread.join()


def test_a_variable_that_lasts_counts_before_one_of_a_loop() -> None:
    history.extend(torch.ones(2) for _ in range(2))
    for each in history:
        at = address(each)
        assert name(at) == f"history in {HERE}"


def test_a_traceback_keeps_the_variables_of_functions_that_have_ended() -> None:
    places = []

    def fail() -> None:
        big = torch.ones(7)
        places.append(address(big))
        raise ValueError

    try:
        fail()
    except ValueError as error:
        kept = error
    function = sys._getframe().f_code.co_name
    assert name(places[0]) == f"the traceback of ValueError in kept in {function}() of {HERE}"
    assert kept.__traceback__ is not None


def test_errors_that_are_kept_name_all_that_their_tracebacks_keep_however_deep() -> None:
    def fail(depth: int) -> None:
        big = torch.ones(7)
        places.append(address(big))
        if depth:
            fail(depth - 1)
        raise ValueError

    places: list[int] = []
    for _ in range(40):
        try:
            fail(9)
        except ValueError as error:
            errors.append(error)
    found = holders(CPU, places)
    assert len(places) == 400
    assert {ends_here(found[each]) for each in places} == {
        f"the traceback of ValueError in errors in {HERE}"
    }


def test_the_closure_of_a_function_that_has_failed_is_no_name_for_it() -> None:
    def run() -> None:
        inputs = torch.ones(7)
        places.append(address(inputs))

        def fail() -> None:
            raise ValueError(inputs.shape)

        fail()

    places: list[int] = []
    try:
        run()
    except ValueError as error:
        errors.append(error)
    assert name(places[0]) == f"the traceback of ValueError in errors in {HERE}"


def test_records_of_a_log_are_named_by_the_handler_that_keeps_them() -> None:
    for number in range(40):
        loss = torch.ones(2)
        record = logging.LogRecord("train", 20, "", 0, "%s: %s", (number, loss), None)
        records.emit(record)
    places = [address(each.args[1]) for each in records.buffer]  # type: ignore[index,arg-type]
    del loss, record
    found = holders(CPU, places)
    assert {ends_here(found[each]) for each in places} == {f"records in {HERE}"}
    assert len(found) == 40


def test_a_list_that_holds_it_comes_before_an_error_that_does_too() -> None:
    def fail() -> None:
        history.append(torch.ones(7))
        inner = history[0]
        raise ValueError(inner.shape)

    try:
        fail()
    except ValueError as error:
        errors.append(error)
    assert name(address(history[0])) == f"history in {HERE}"


def kept_graphs() -> int:
    """Losses that were never taken back; returns where one's graph keeps an activation."""
    layer = torch.nn.Linear(4, 4)
    history.extend(layer(torch.ones(2, 4)).exp().sum() for _ in range(3))
    return address(history[1].grad_fn.next_functions[0][0]._saved_result)


def test_what_the_graph_of_a_loss_keeps_is_named_by_that_loss() -> None:
    assert name(kept_graphs()) == f"the graph of history in {HERE}"


def test_the_graphs_that_a_running_mean_keeps_are_named_by_the_mean() -> None:
    layers = torch.nn.Sequential(
        torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4), torch.nn.Tanh()
    )
    means["mean"] = torch.zeros(())
    inputs = []
    for _ in range(30):
        # PyTorch keeps the Python objects of what a module took or made as long as the graph.
        layers[1].register_forward_pre_hook(lambda _, given: inputs.append(address(given[0])))
        layers[2].register_forward_pre_hook(lambda _, given: inputs.append(address(given[0])))
        means["mean"] = means["mean"] * 0.9 + layers(torch.ones(2, 4)).square().mean() * 0.1
    kept = set(inputs)
    found = holders(CPU, sorted(kept))
    assert {ends_here(each) for each in found.values()} == {f"the graph of means['mean'] in {HERE}"}
    assert len(found) >= 30


def test_what_hooks_have_packed_is_never_unpacked() -> None:
    unpacked = []

    def unpack(packed: Tensor) -> Tensor:
        unpacked.append(packed)
        return packed

    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor.clone(), unpack):
        layer = torch.nn.Linear(4, 4)
        history.append(layer(torch.ones(2, 4)).exp().sum())
    assert holders(CPU, [12345]) == {}
    assert not unpacked


def test_what_nobody_holds_has_no_name_and_the_time_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history.append(torch.ones(2))
    assert holders(CPU, [12345]) == {}
    monkeypatch.setattr(module, "LIMIT_SECONDS", 0.0)
    assert holders(CPU, [address(history[0])]) == {}


def test_the_search_keeps_no_tensor_alive_in_the_frames_that_it_has_read() -> None:
    loss = torch.ones(4)
    held = weakref.ref(loss)
    gc.disable()
    try:
        assert holders(CPU, [address(loss)])
        del loss
        assert held() is None
    finally:
        gc.enable()
