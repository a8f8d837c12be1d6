"""The ledger against closed forms: both of the lesson's MLPs, to the byte.

For images of d values, a batch of b, P bytes of parameters and O bytes of optimizer state. Inputs,
targets, output and loss are held to the end of the step, as a training loop holds them.
"""

import contextlib
import itertools

import pytest
import torch
from programs import CPU, VARIANTS, classify, lesson_mlp, optimizer_of, zeros
from torch import nn
from torch.distributed._tools.mem_tracker import MemTracker
from torch.profiler import ProfilerActivity, profile
from vramtop.protocol.split import PHASES, Anatomy, Split
from vramtop.trainer.training.ledger import Ledger

IMAGES = {784: (1, 28, 28), 3072: (3, 32, 32)}
BATCHES = (1, 64, 256, 1024, 4096)


def first_weight(d: int) -> int:
    return 4 * d * 128


def parameters(d: int) -> int:
    return 4 * (d * 128 + 128 + 128 * 10 + 10)


def optimizer_state(d: int, variant: str) -> int:
    """One float a parameter for momentum; two for Adam, and a step counter for each tensor."""
    if variant == "sgd":
        return 0
    if variant == "momentum":
        return parameters(d)
    return 2 * parameters(d) + 4 * 4


def batch_data(d: int, b: int) -> int:
    """Floats, and targets of 8 bytes each."""
    return (4 * d + 8) * b


def optimizer_temporaries(d: int, variant: str) -> tuple[int, str]:
    """What Adam needs beside its state, and the operator that makes it the most."""
    if variant in ("adam", "adamw"):  # a root and a quotient of one weight at a time
        return 2 * first_weight(d), "aten.div.Tensor"
    if variant == "adam-foreach":  # a root of everything at once
        return parameters(d), "aten._foreach_sqrt.default"
    return 0, ""


def expected_peak(d: int, b: int, variant: str) -> tuple[int, str, str]:
    """Bytes, phase and operator of the largest of all moments."""
    before = parameters(d) + optimizer_state(d, variant) + batch_data(d, b)
    intermediates, operator = optimizer_temporaries(d, variant)
    moments = [
        # ReLU's input and output.
        (before + 2 * 512 * b, "forward", "aten.relu.default"),
        # The output; ReLU's output, its gradient and that of its input; the second layer's
        # gradients; the loss and its gradient.
        (
            before + (40 + 3 * 512) * b + 4 * (1280 + 10) + 8,
            "backward",
            "aten.threshold_backward.default",
        ),
        # The output; the gradient of ReLU's input; all gradients; the loss and its gradient.
        (before + (40 + 512) * b + parameters(d) + 8, "backward", "aten.sum.dim_IntList"),
        # The output and the loss; all gradients; what the optimizer makes meanwhile.
        (before + 40 * b + 4 + parameters(d) + intermediates, "optimizer", operator),
    ]
    return max(moments, key=lambda moment: moment[0])


def two_steps(d: int, b: int, variant: str) -> tuple[Anatomy, Anatomy]:
    """The first step, in which the optimizer has no state yet, and the second."""
    model = lesson_mlp(d)
    optimizer = optimizer_of(variant, model)
    ledger, batch = Ledger(CPU, [model], [optimizer]), zeros(b, *IMAGES[d])
    first, second = (classify(ledger, model, optimizer, lambda: batch) for _ in range(2))
    return first.anatomy(), second.anatomy()


def settled_step(d: int, b: int, variant: str) -> Anatomy:
    return two_steps(d, b, variant)[1]


@pytest.mark.parametrize(("d", "b", "variant"), list(itertools.product(IMAGES, BATCHES, VARIANTS)))
def test_every_boundary_the_high_water_and_the_peak_follow_closed_forms(d, b, variant):
    owned = {
        "parameters": parameters(d),
        "optimizer_state": optimizer_state(d, variant),
        "batch_data": batch_data(d, b),
    }
    # ReLU's output, the output, the log-softmax, the loss, and the sum of its weights.
    forward = (512 + 40 + 40) * b + 4 + 4
    held = 40 * b + 4
    learned = {**owned, "activations": held, "gradients": parameters(d)}

    anatomy = settled_step(d, b, variant)

    assert anatomy.boundaries == {
        "load": Split(**owned),
        "forward": Split(**owned, activations=forward),
        "backward": Split(**learned),
        "optimizer": Split(**learned),
        "zero_grad": Split(**owned, activations=held),
    }
    assert anatomy.high_water == Split(
        **owned,
        activations=forward,
        gradients=parameters(d),
        # Gradients of ReLU's output and input, and that of the loss.
        temporaries=max(2 * 512 * b + 4, optimizer_temporaries(d, variant)[0]),
    )
    peak = anatomy.peak
    assert (peak.bytes, peak.phase, peak.operator) == expected_peak(d, b, variant)
    assert peak.bytes == peak.split.total


@pytest.mark.parametrize(
    ("b", "phase"), [(1, "optimizer"), (526, "optimizer"), (527, "backward"), (4096, "backward")]
)
def test_a_larger_batch_moves_the_peak_from_the_optimizer_to_backward(b, phase):
    assert settled_step(784, b, "adam-foreach").peak.phase == phase


def test_the_peak_in_backward_is_made_of_what_relu_needs():
    anatomy = settled_step(784, 4096, "sgd")
    assert anatomy.peak.split == Split(
        parameters=parameters(784),
        gradients=4 * (1280 + 10),
        batch_data=batch_data(784, 4096),
        activations=(512 + 40) * 4096 + 4,
        temporaries=2 * 512 * 4096 + 4,
    )


@pytest.mark.parametrize("variant", ["momentum", "adam", "adam-foreach", "adam-fused"])
def test_optimizer_state_appears_in_the_first_step(variant):
    boundaries = two_steps(784, 64, variant)[0].boundaries
    states = [boundaries[phase].optimizer_state for phase in PHASES]
    state = optimizer_state(784, variant)
    assert states == [0, 0, 0, state, state]
    assert [boundaries[phase].temporaries for phase in PHASES] == [0] * 5


def test_the_curve_passes_through_every_boundary_and_the_peak():
    anatomy = settled_step(784, 64, "adam")
    last = {moment.phase: moment.split for moment in anatomy.curve}
    assert last == {phase: anatomy.boundaries[phase] for phase in last}
    assert list(dict.fromkeys(moment.phase for moment in anatomy.curve)) == list(PHASES)
    assert max(moment.split.total for moment in anatomy.curve) == anatomy.peak.bytes
    assert anatomy.peak.split in [moment.split for moment in anatomy.curve]


def test_each_moment_of_the_curve_differs_from_the_one_before():
    curve = settled_step(784, 64, "adam").curve
    for one, next_one in itertools.pairwise(curve):
        assert one.split.total != next_one.split.total


def test_a_moment_is_named_after_the_operator_that_allocated():
    anatomy = settled_step(784, 64, "adam")
    made = {}
    for one, next_one in itertools.pairwise(anatomy.curve):
        grown = next_one.split.total - one.split.total
        operator = anatomy.operators[next_one.operator]
        assert (grown > 0) == (operator != "")
        made.setdefault((next_one.phase, operator), []).append(grown)
    assert anatomy.operators[anatomy.curve[0].operator] == ""
    assert made["load", "batch"] == [batch_data(784, 64)]
    assert made["forward", "aten.relu.default"] == [512 * 64]
    # The second layer's gradient of its weight and of its input, and the first layer's weight's.
    assert sorted(made["backward", "aten.mm.default"]) == [5120, 512 * 64, first_weight(784)]
    assert made["optimizer", "aten.div.Tensor"] == [first_weight(784), 512, 5120, 40]


@pytest.mark.parametrize("variant", ["momentum", "adam", "adam-foreach"])
@pytest.mark.parametrize("b", [64, 1024])
def test_pytorchs_own_tracker_finds_the_same_peak(b, variant):
    model = lesson_mlp(784)
    optimizer = optimizer_of(variant, model)
    tracker = MemTracker()
    tracker.track_external(model, optimizer)
    for _ in range(2):
        with tracker:
            inputs, targets = zeros(b, 1, 28, 28)
            output = model(inputs)
            loss = nn.functional.cross_entropy(output, targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        peak = tracker.get_tracker_snapshot("peak")[CPU]["Total"]
        tracker.reset_mod_stats()
        del inputs, targets, output, loss
    assert peak == settled_step(784, b, variant).peak.bytes


@pytest.mark.parametrize("variant", ["sgd", "adam", "adam-foreach"])
def test_a_step_on_fake_tensors_is_recorded_as_a_real_one(variant):
    with torch._subclasses.FakeTensorMode():
        fake = settled_step(784, 1024, variant)
    assert fake == settled_step(784, 1024, variant)


@pytest.mark.filterwarnings("ignore:.*Profiler clears events")  # PyTorch before 2.12
@pytest.mark.parametrize(
    ("d", "b", "variant"),
    [(784, 1, "sgd"), (784, 64, "adam"), (784, 4096, "adam-foreach"), (3072, 256, "adam-fused")],
)
def test_the_allocator_gave_out_as_much_at_its_peak(d, b, variant):
    """The profiler's events come from the allocator itself, without any ledger.

    Adam's loop divides by a number. The kernel makes tensors of 8 and 4 bytes for it, which no
    operator returns.
    """
    within_the_kernel = 12 if variant == "adam" else 0
    model = lesson_mlp(d)
    optimizer = optimizer_of(variant, model)
    inputs, targets = zeros(b, *IMAGES[d])

    def step():
        output = model(inputs)
        loss = nn.functional.cross_entropy(output, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return output, loss

    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        held = step()
    events = [
        (event.start_ns(), event.nbytes())
        for event in profiler.profiler.kineto_results.events()
        if event.name() == "[memory]"
    ]
    events.sort(key=lambda event: event[0])
    before = parameters(d) + optimizer_state(d, variant) + batch_data(d, b)
    given = list(itertools.accumulate((size for _, size in events), initial=before))

    anatomy = settled_step(d, b, variant)

    assert max(given) == anatomy.peak.bytes + within_the_kernel
    assert given[-1] == anatomy.boundaries["zero_grad"].total
    assert len(held) == 2


@pytest.mark.parametrize("variant", ["sgd", "momentum", "adam", "adam-foreach", "adam-fused"])
def test_recording_changes_neither_losses_nor_parameters(variant):
    def train(recorded_every):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 10))
        model.insert(2, nn.Dropout())
        kind, options = VARIANTS[variant]
        optimizer = kind(model.parameters(), lr=1e-2, **options)
        ledger = Ledger(CPU, [model], [optimizer])
        losses = []
        for number in range(30):
            watched = recorded_every and number % recorded_every == 0
            # With a limit, every operator is predicted before it runs.
            limit = 10**9 if number % 10 == 0 else None
            with ledger.record(limit) if watched else contextlib.nullcontext():
                inputs, targets = torch.rand(4, 3, 2, 2), torch.randint(0, 10, (4,))
                loss = nn.functional.cross_entropy(model(inputs), targets)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
            losses.append(loss.item())
        return losses, [parameter.tolist() for parameter in model.parameters()]

    unwatched = train(0)
    assert len(set(unwatched[0])) == 30
    assert train(1) == unwatched
    assert train(3) == unwatched
