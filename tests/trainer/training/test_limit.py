"""A ledger with a limit: what does not fit is refused before it is allocated."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from vramtop.protocol.split import Split
from vramtop.trainer.training.ledger import Ledger
from vramtop.trainer.training.limit import LimitExceeded

CPU = torch.device("cpu")
FLOAT = 4


class Ran(TorchDispatchMode):
    """The names of all operators that really ran."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **kwargs or {})


class Training:
    def __init__(self, make_model, shape, make_optimizer, **options):
        torch.manual_seed(0)
        self.model = make_model()
        self.optimizer = make_optimizer(self.model.parameters(), lr=0.01, **options)
        self.ledger = Ledger(CPU, [self.model], [self.optimizer])
        self.inputs = torch.ones(shape)

    def step(self, limit=None):
        with self.ledger.record(limit) as recording:
            recording.batch(self.inputs)
            recording.begin("forward")
            output = self.model(self.inputs)
            loss = output.square().mean()
            recording.begin("backward")
            loss.backward()
            recording.begin("optimizer")
            self.optimizer.step()
            recording.begin("zero_grad")
            self.optimizer.zero_grad()
        return recording.anatomy()


def mlp():
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def conv():
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Dropout(), nn.Linear(36, 2))


PROGRAMS = {
    "sgd": (mlp, (16, 64), torch.optim.SGD, {}),
    "sgd with large batches": (mlp, (512, 64), torch.optim.SGD, {}),
    "adam": (mlp, (16, 64), torch.optim.Adam, {}),
    "adam foreach": (mlp, (16, 64), torch.optim.Adam, {"foreach": True}),
    "adam fused": (mlp, (16, 64), torch.optim.Adam, {"fused": True}),
    "convolution": (conv, (2, 3, 8, 8), torch.optim.SGD, {}),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_step_runs_within_its_peak_and_not_a_byte_below(name):
    make_model, shape, make_optimizer, options = PROGRAMS[name]
    training = Training(make_model, shape, make_optimizer, **options)
    training.step()
    peak = training.step().peak

    assert training.step(limit=peak.bytes).peak == peak
    with pytest.raises(LimitExceeded) as caught:
        training.step(limit=peak.bytes - 1)

    error = caught.value
    assert (error.phase, error.operator) == (peak.phase, peak.operator)
    assert (error.needed, error.limit) == (peak.bytes, peak.bytes - 1)
    assert error.split.total <= error.limit


def refused(recording, program):
    """The error of a program that exceeds its limit, and the operators that ran before."""
    ran = Ran()

    def run():
        with ran, recording:
            program(recording)

    with pytest.raises(LimitExceeded) as caught:
        run()
    return caught.value, ran.names


def test_the_operator_that_does_not_fit_never_runs():
    """ReLU wants its output beside 4 × 8 floats of the batch and 4 × 8 of its input."""
    inputs = torch.ones(4, 8)

    def program(recording):
        recording.batch(inputs)
        recording.begin("forward")
        hidden = inputs * 2
        torch.relu(hidden)

    recording = Ledger(CPU, [], []).record(limit=FLOAT * 96 - 1)
    error, ran = refused(recording, program)
    assert ran == ["aten.mul.Tensor"]
    assert (error.needed, error.limit) == (FLOAT * 96, FLOAT * 96 - 1)
    assert (error.phase, error.operator) == ("forward", "aten.relu.default")
    assert error.split == Split(batch_data=FLOAT * 32, activations=FLOAT * 32)
    assert recording.split() == error.split


def test_it_is_an_out_of_memory_error_whose_one_line_has_the_sizes():
    ledger = Ledger(CPU, [], [])
    with pytest.raises(torch.OutOfMemoryError) as caught, ledger.record(limit=1000):
        torch.ones(25_000)
    assert (
        str(caught.value) == "aten.ones.default in load needs 100,000 B, and the limit is 1,000 B"
    )


def test_a_batch_that_does_not_fit_is_refused_when_it_is_declared():
    batch = torch.ones(100)
    recording = Ledger(CPU, [], []).record(limit=FLOAT * 100 - 1)
    error, ran = refused(recording, lambda recording: recording.batch(batch))
    assert not ran
    assert (error.needed, error.phase, error.operator) == (FLOAT * 100, "load", "batch")
    assert error.split == recording.split() == Split(batch_data=FLOAT * 100)


def test_views_and_operators_in_place_need_nothing():
    held = torch.ones(10, 10)
    with Ledger(CPU, [], []).record(limit=FLOAT * 100) as recording:
        recording.batch(held)
        held.view(100).t().add_(1).mul_(2)
        torch._foreach_add_([held, held[0]], 1)
        torch.split(held, 5)
        torch.add(held, 1, out=held)
    assert recording.anatomy().peak.bytes == FLOAT * 100


@pytest.mark.parametrize(
    ("grow", "operator"),
    [
        (lambda held, _: held.resize_(250), "aten.resize_.default"),
        (lambda held, other: torch.cat([other, other], out=held), "aten.cat.out"),
    ],
)
@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized:UserWarning")
def test_growth_in_place_is_refused_before_it_happens(grow, operator):
    held, other = torch.ones(100), torch.ones(125)
    recording = Ledger(CPU, [], []).record(limit=FLOAT * (250 + 125) - 1)

    def program(recording):
        recording.batch(held, other)
        grow(held, other)

    error, ran = refused(recording, program)
    assert (error.needed, error.operator) == (FLOAT * (250 + 125), operator)
    assert not ran
    assert held.numel() == 100


def test_an_operator_of_unpredictable_size_is_refused_right_after_it_ran():
    """The size of nonzero's result depends on the numbers: here 100 places of 8 bytes."""
    numbers = torch.ones(100)

    def program(recording):
        recording.batch(numbers)
        numbers.nonzero().add_(1)

    error, ran = refused(Ledger(CPU, [], []).record(limit=1199), program)
    assert ran == ["aten.nonzero.default"]
    assert (error.needed, error.operator) == (1200, "aten.nonzero.default")


def test_training_goes_on_after_a_step_that_did_not_fit():
    training, other = (Training(mlp, (16, 64), torch.optim.Adam) for _ in range(2))
    for each in (training, other):
        each.step()
    before = training.step().peak
    other.step()
    with pytest.raises(LimitExceeded):
        training.step(limit=before.bytes // 2)
    training.optimizer.zero_grad()
    assert training.step() == other.step()


@pytest.mark.parametrize(
    "copy",
    [
        lambda tensor: tensor.to(torch.float64),
        lambda tensor: tensor.view(10, 100).t().contiguous(),
        lambda tensor: tensor.view(10, 100).t().reshape(-1),
    ],
)
def test_in_inference_mode_a_copy_is_refused_before_it_is_made(copy):
    batch = torch.ones(1000)

    def program(recording):
        recording.batch(batch)
        copy(batch)

    with torch.inference_mode():
        recording = Ledger(CPU, [], []).record(limit=FLOAT * 1000 + 500)
        with pytest.raises(LimitExceeded) as caught, recording:
            program(recording)
    assert caught.value.split == Split(batch_data=FLOAT * 1000)
