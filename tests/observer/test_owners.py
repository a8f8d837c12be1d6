"""Who owns which storage, in programs of all kinds."""

import itertools

import pytest
import torch
from programs import CPU, FLOAT, LONG, MLP_BYTES, anatomy_of, mlp, sgd, step, train
from torch import nn
from torch.testing._internal.two_tensor import TwoTensor
from vramtop.protocol.split import Split
from vramtop.trainer.training.ledger import Ledger


def test_buffers_count_as_parameters_and_saved_statistics_as_activations():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 8 * 8, 2),
    )
    anatomy = anatomy_of(model, sgd(model), lambda: torch.ones(2, 3, 8, 8))
    learned = FLOAT * (4 * 3 * 3 * 3 + 4 + 4 + 256 * 2 + 2)
    running = FLOAT * (4 + 4) + LONG
    image = FLOAT * 2 * 4 * 8 * 8
    batch = FLOAT * 2 * 3 * 8 * 8
    assert anatomy.boundaries["forward"] == Split(
        parameters=learned + running,
        batch_data=batch,
        # The convolution's output and ReLU's, mean and deviation, output, loss.
        activations=image + image + FLOAT * (4 + 4) + FLOAT * 2 * 2 + FLOAT,
    )
    assert anatomy.boundaries["backward"].gradients == learned


def test_tied_weights_are_counted_once():
    embedding, decoder = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
    decoder.weight = embedding.weight
    model = nn.Sequential(embedding, decoder)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    boundaries = anatomy_of(model, optimizer, lambda: torch.tensor([1, 2, 3])).boundaries
    assert boundaries["optimizer"] == Split(
        parameters=FLOAT * 40,
        gradients=FLOAT * 40,
        optimizer_state=FLOAT * 40,
        batch_data=LONG * 3,
        activations=FLOAT * 3 * 10 + FLOAT,
    )


def flat_model():
    """Parameters and gradients that are views of one storage each, with four floats to spare."""
    model = nn.Linear(4, 3)
    values, gradients = torch.ones(12 + 3 + 4), torch.zeros(12 + 3 + 4)
    model.weight = nn.Parameter(values[:12].view(3, 4))
    model.bias = nn.Parameter(values[12:15])
    model.weight.grad = gradients[:12].view(3, 4)
    model.bias.grad = gradients[12:15]
    return model


def test_parameters_and_gradients_that_are_views_count_their_whole_storage_once():
    model = flat_model()
    optimizer = sgd(model)
    ledger = Ledger(CPU, [model], [optimizer])
    boundaries = step(
        ledger, optimizer, torch.ones(2, 4), lambda batch: model(batch).sum(), set_to_none=False
    ).boundaries
    for phase in ("load", "backward", "optimizer", "zero_grad"):
        assert boundaries[phase].parameters == FLOAT * 19
        assert boundaries[phase].gradients == FLOAT * 19


def test_accumulated_gradients_stay_and_what_is_added_to_them_is_temporary():
    model = mlp()
    optimizer = sgd(model)
    with Ledger(CPU, [model], [optimizer]).record() as recording:
        for _ in range(3):
            recording.begin("load")
            batch = torch.ones(4, 8)
            recording.batch(batch)
            recording.begin("forward")
            loss = model(batch).sum()
            recording.begin("backward")
            loss.backward()
            del batch, loss
        recording.begin("optimizer")
        optimizer.step()
        recording.begin("zero_grad")
        optimizer.zero_grad()
    anatomy = recording.anatomy()
    assert anatomy.high_water.gradients == MLP_BYTES
    assert anatomy.high_water.batch_data == FLOAT * 4 * 8
    # At the last load, the gradients so far are held beside the batch, and nothing else.
    assert anatomy.boundaries["load"] == Split(
        parameters=MLP_BYTES, gradients=MLP_BYTES, batch_data=FLOAT * 4 * 8
    )
    assert anatomy.boundaries["backward"] == Split(parameters=MLP_BYTES, gradients=MLP_BYTES)
    assert anatomy.boundaries["zero_grad"] == Split(parameters=MLP_BYTES)
    phases = [phase for phase, _ in itertools.groupby(anatomy.curve, lambda each: each.phase)]
    assert phases == ["load", "forward", "backward"] * 3 + ["zero_grad"]


def test_gradients_set_to_zero_are_there_from_the_next_steps_start():
    model = mlp()
    optimizer = sgd(model)
    ledger = Ledger(CPU, [model], [optimizer])
    for gradients in (0, MLP_BYTES):
        anatomy = step(
            ledger, optimizer, torch.ones(4, 8), lambda batch: model(batch).sum(), set_to_none=False
        )
        assert anatomy.boundaries["load"].gradients == gradients
        assert anatomy.boundaries["zero_grad"].gradients == MLP_BYTES


def test_frozen_parameters_have_no_gradients_and_leave_no_activations():
    model = mlp()
    model[0].requires_grad_(False)
    optimizer = torch.optim.Adam(model[2].parameters())
    boundaries = anatomy_of(model, optimizer, lambda: torch.ones(4, 8)).boundaries
    trained = FLOAT * (16 * 2 + 2)
    assert boundaries["optimizer"] == Split(
        parameters=MLP_BYTES,
        gradients=trained,
        optimizer_state=2 * trained + FLOAT * 2,
        batch_data=FLOAT * 4 * 8,
        activations=FLOAT * 4 * 2 + FLOAT,
    )


def test_parameters_that_only_an_optimizer_knows_are_parameters():
    weight = nn.Parameter(torch.ones(10))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with Ledger(CPU, [], [optimizer]).record() as recording:
        recording.begin("forward")
        loss = (weight * 2).sum()
        recording.begin("backward")
        loss.backward()
    boundary = recording.anatomy().boundaries["backward"]
    assert boundary == Split(parameters=FLOAT * 10, gradients=FLOAT * 10, activations=FLOAT)


@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning")
def test_parameters_made_by_the_first_forward_are_parameters_at_once():
    model = nn.LazyLinear(2)
    with Ledger(CPU, [model], []).record() as recording:
        recording.begin("forward")
        output = model(torch.ones(4, 8))
    boundary = recording.anatomy().boundaries["forward"]
    assert boundary.parameters == FLOAT * (8 * 2 + 2)
    assert output.shape == (4, 2)


def test_a_buffer_that_forward_replaces_is_a_parameter():
    class Average(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(8))

        def forward(self, inputs):
            self.mean = 0.9 * self.mean + 0.1 * inputs.mean(0)
            return inputs - self.mean

    model = Average()
    with Ledger(CPU, [model], []).record() as recording:
        recording.begin("forward")
        output = model(torch.ones(4, 8))
    assert recording.anatomy().boundaries["forward"].parameters == FLOAT * 8
    assert output.sum() != 0


def test_mixed_precision_leaves_half_size_copies():
    model = nn.Sequential(nn.Linear(8, 4, bias=False), nn.Linear(4, 2, bias=False))

    def forward(batch):
        with torch.autocast("cpu", torch.bfloat16):
            return model(batch)

    optimizer = sgd(model)
    with Ledger(CPU, [model], [optimizer]).record() as recording:
        train(recording, forward, optimizer, lambda: torch.ones(3, 8))
    boundaries = recording.anatomy().boundaries
    half = 2
    assert boundaries["forward"] == Split(
        parameters=FLOAT * (8 * 4 + 4 * 2),
        batch_data=FLOAT * 3 * 8,
        # The batch, the first layer's output, the second layer's weight, output and loss.
        activations=half * (3 * 8 + 3 * 4 + 4 * 2 + 3 * 2 + 1),
    )
    assert boundaries["backward"].gradients == FLOAT * (8 * 4 + 4 * 2)


def test_a_sparse_gradient_is_its_indices_and_its_values():
    model = nn.Embedding(100, 4, sparse=True)
    indices = torch.tensor([3, 1, 4])
    factors = torch.ones(3, 4)
    with Ledger(CPU, [model], []).record() as recording:
        recording.begin("load")
        recording.batch(indices)
        recording.begin("forward")
        loss = (model(indices) * factors).sum()
        recording.begin("backward")
        loss.backward()
    assert model.weight.grad.is_sparse
    own_indices = model.weight.grad._indices().untyped_storage().data_ptr() != indices.data_ptr()
    assert recording.anatomy().boundaries["backward"] == Split(
        parameters=FLOAT * 400,
        gradients=FLOAT * 3 * 4 + LONG * 3 * own_indices,
        batch_data=LONG * 3,
        activations=FLOAT,
    )


@pytest.mark.parametrize(
    ("convert", "indices"),
    [
        (torch.Tensor.to_sparse_coo, 2 * 3),
        # Five bounds, and one half of the indices of a COO tensor made on the way.
        (torch.Tensor.to_sparse_csr, 5 + 2 * 3),
        (torch.Tensor.to_sparse_csc, 5 + 2 * 3),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_a_sparse_batch_is_its_indices_and_its_values(convert, indices):
    """Three values in a square of four rows."""
    dense = torch.diag(torch.tensor([1.0, 2.0, 3.0, 0.0]))
    with Ledger(CPU, [], []).record() as recording:
        batch = convert(dense)
        recording.batch(batch)
    assert recording.split() == Split(batch_data=FLOAT * 3 + LONG * indices)


def test_a_tensor_that_wraps_others_counts_as_those():
    model = nn.Linear(4, 3, bias=False)
    model.weight = nn.Parameter(TwoTensor(torch.ones(3, 4), torch.ones(3, 4)))
    boundaries = anatomy_of(model, sgd(model), lambda: torch.ones(2, 4)).boundaries
    assert boundaries["backward"] == Split(
        parameters=2 * FLOAT * 12,
        gradients=2 * FLOAT * 12,
        batch_data=FLOAT * 8,
        activations=2 * FLOAT * (6 + 1),
    )


def test_optimizer_state_may_be_nested_in_lists():
    weight = nn.Parameter(torch.ones(10))
    optimizer = torch.optim.LBFGS([weight], max_iter=3)

    def closure():
        optimizer.zero_grad()
        loss = ((weight - 3) ** 4).sum()
        loss.backward()
        return loss

    with Ledger(CPU, [], [optimizer]).record() as recording:
        recording.begin("optimizer")
        optimizer.step(closure)
    state = optimizer.state[weight]
    kept = [state["d"], state["prev_flat_grad"], state["H_diag"]]
    kept += [*state["old_dirs"], *state["old_stps"], *state["ro"], *filter(None, state["al"])]
    sizes = {tensor.untyped_storage().data_ptr(): tensor.nbytes for tensor in kept}
    assert recording.anatomy().boundaries["optimizer"].optimizer_state == sum(sizes.values())


# ---- growth ---------------------------------------------------------------------------------


def test_storages_that_grow_and_shrink_in_place_are_followed():
    with Ledger(CPU, [], []).record() as recording:
        buffer = torch.empty(10)
        sizes = [recording.split().total]
        buffer.resize_(30)
        sizes.append(recording.split().total)
        other = torch.empty(0)
        torch.add(torch.ones(5), 1, out=other)
        sizes.append(recording.split().total)
        recording.begin("forward")
        buffer.untyped_storage().resize_(0)
        recording.begin("backward")
        sizes.append(recording.split().total)
    assert sizes == [FLOAT * 10, FLOAT * 30, FLOAT * 35, FLOAT * 5]


def test_asking_for_the_split_in_the_middle_of_forward_changes_nothing():
    model = mlp()
    with Ledger(CPU, [model], []).record() as recording:
        recording.begin("forward")
        hidden = model[0](torch.ones(4, 8))
        # The weight's gradient will need the input again.
        assert recording.split().activations == FLOAT * (4 * 16 + 4 * 8)
        output = hidden.sum()
        del hidden
    anatomy = recording.anatomy()
    assert anatomy.boundaries["forward"].activations == FLOAT * (4 * 8 + 1)
    assert anatomy.high_water.temporaries == FLOAT * 4 * 16
    assert output.shape == ()
