"""Which tensors a high-water mark consists of: by name, to the byte."""

import itertools

import pytest
import torch
from programs import CPU, FLOAT, LONG, VARIANTS, classify, lesson_mlp, optimizer_of, zeros
from torch import nn
from vramtop.accounting.tensors import LISTED
from vramtop.protocol.split import CATEGORIES, TensorFacts
from vramtop.trainer.training.ledger import Ledger, RecordedStep


def convolutional():
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(3600, 2)]
    return nn.Sequential(*layers)


MODELS = {
    "mnist": (lambda: lesson_mlp(784), (1, 28, 28)),
    "cifar10": (lambda: lesson_mlp(3072), (3, 32, 32)),
    "convolutional": (convolutional, (3, 32, 32)),
}


def second_step(model, optimizer, shape, images=16) -> RecordedStep:
    """The one that begins with the optimizer's state in place."""
    ledger, batch = Ledger(CPU, [model], [optimizer]), zeros(images, *shape)
    for _ in range(2):
        recording = classify(ledger, model, optimizer, lambda: batch)
    return recording


def mlp_step() -> RecordedStep:
    """The second step of MNIST's MLP with Adam, on four images."""
    model = lesson_mlp(784)
    return second_step(model, optimizer_of("adam", model), (1, 28, 28), images=4)


def listed(recording):
    return recording.tensors(recording.anatomy())


@pytest.mark.parametrize(("name", "variant"), list(itertools.product(MODELS, VARIANTS)))
def test_the_list_and_the_rest_are_the_high_water_to_the_byte(name, variant):
    make_model, shape = MODELS[name]
    model = make_model()
    recording = second_step(model, optimizer_of(variant, model), shape)
    anatomy = recording.anatomy()
    tensors = recording.tensors(anatomy)
    assert list(tensors) == list(CATEGORIES)
    for category, of_it in tensors.items():
        sizes = [facts.bytes for facts in of_it.largest]
        assert sum(sizes) + of_it.others_bytes == getattr(anatomy.high_water, category)
        assert sizes == sorted(sizes, reverse=True)
        assert 0 not in sizes
        assert len(sizes) == LISTED or of_it.others == 0
        assert (of_it.others == 0) == (of_it.others_bytes == 0)


def test_each_tensor_has_the_name_its_owner_gave_it():
    tensors = listed(mlp_step())
    names = {category: [f.name for f in of_it.largest] for category, of_it in tensors.items()}
    assert names["parameters"] == ["1.weight", "3.weight", "1.bias", "3.bias"]
    assert names["gradients"] == [f"{name}.grad" for name in names["parameters"]]
    assert names["optimizer_state"][:3] == [
        "exp_avg of 1.weight",
        "exp_avg_sq of 1.weight",
        "exp_avg of 3.weight",
    ]
    # Two moments for each of four parameters are listed; the four step counters are the rest.
    assert (tensors["optimizer_state"].others, tensors["optimizer_state"].others_bytes) == (4, 16)
    assert names["batch_data"] == ["inputs", "targets"]


def test_a_tensor_is_listed_with_its_shape_its_type_and_its_life():
    tensors = listed(mlp_step())
    inputs, targets = tensors["batch_data"].largest
    assert (inputs.shape, inputs.dtype, inputs.bytes) == ((4, 1, 28, 28), "float32", FLOAT * 3136)
    assert (targets.shape, targets.dtype, targets.bytes) == ((4,), "int64", LONG * 4)
    weight = tensors["parameters"].largest[0]
    assert (weight.shape, weight.operator, weight.born, weight.gone) == ((128, 784), "", None, None)
    gradient = tensors["gradients"].largest[0]
    assert (gradient.shape, gradient.operator) == ((128, 784), "aten.mm.default")
    assert (gradient.born, gradient.gone) == ("backward", "zero_grad")


def test_a_tensor_that_nobody_owns_is_listed_with_the_operator_that_made_it():
    tensors = listed(mlp_step())
    assert [(f.name, f.operator, f.shape) for f in tensors["activations"].largest] == [
        ("", "aten.relu.default", (4, 128)),
        ("", "aten.addmm.default", (4, 10)),
        ("", "aten._log_softmax.default", (4, 10)),
        ("", "aten.nll_loss_forward.default", ()),
        ("", "aten.nll_loss_forward.default", ()),
    ]
    root, quotient = tensors["temporaries"].largest
    assert (root.operator, quotient.operator) == ("aten.sqrt.default", "aten.div.Tensor")
    assert {root.born, root.gone, quotient.born, quotient.gone} == {"optimizer"}


def test_more_than_eight_tensors_are_summed_up():
    model = nn.Sequential(*(nn.Linear(size, size, bias=False) for size in (9, *range(1, 13))))
    with Ledger(CPU, [model], []).record() as recording:
        pass
    parameters = listed(recording)["parameters"]
    sizes = [12, 11, 10, 9, 9, 8, 7, 6]
    assert [facts.bytes for facts in parameters.largest] == [FLOAT * size**2 for size in sizes]
    assert [facts.name for facts in parameters.largest[3:5]] == ["0.weight", "9.weight"]
    rest = sum(FLOAT * size**2 for size in range(1, 6))
    assert (parameters.others, parameters.others_bytes) == (5, rest)


def test_a_category_that_was_empty_has_no_tensors():
    with Ledger(CPU, [], []).record() as recording:
        pass
    assert all(not of_it.largest and not of_it.others for of_it in listed(recording).values())


def test_names_of_several_modules_and_optimizers_begin_with_their_number():
    one, two = nn.Linear(2, 3, bias=False), nn.BatchNorm1d(4)
    alone = nn.Parameter(torch.ones(100))
    optimizer = torch.optim.SGD([*one.parameters(), alone], lr=0.1)
    with Ledger(CPU, [one, two], [optimizer]).record() as recording:
        pass
    names = {facts.name for facts in listed(recording)["parameters"].largest}
    assert {"0.weight", "1.running_mean", "parameter 1 of SGD"} < names


def test_tensors_of_a_batch_without_names_are_numbered():
    one, two = torch.ones(4), torch.ones(2)
    with Ledger(CPU, [], []).record() as recording:
        recording.batch([one, {"more": two}], mask=torch.ones(1))
    names = [facts.name for facts in listed(recording)["batch_data"].largest]
    assert names == ["batch[0]", "batch[1]", "mask"]


def test_a_batch_that_is_part_of_something_larger_is_a_view():
    dataset = torch.ones(100, 8)
    with Ledger(CPU, [], []).record() as recording:
        recording.batch(inputs=dataset[20:24])
    (inputs,) = listed(recording)["batch_data"].largest
    assert (inputs.shape, inputs.bytes, inputs.view) == ((4, 8), FLOAT * 800, True)


def test_what_the_program_held_before_has_no_operator():
    held = torch.ones(10)
    with Ledger(CPU, [], []).record() as recording:
        recording.begin("forward")
        held.view(5, 2)
    (facts,) = listed(recording)["temporaries"].largest
    assert facts == TensorFacts(FLOAT * 10, shape=(5, 2), dtype="float32")


def test_a_tensor_that_grows_has_its_new_shape():
    with Ledger(CPU, [], []).record() as recording:
        grown = torch.ones(2).resize_(3, 4)
    (facts,) = listed(recording)["temporaries"].largest
    assert (facts.shape, facts.bytes, facts.view) == ((3, 4), grown.nbytes, False)


def test_the_list_is_that_of_the_first_moment_at_the_high_water():
    """The high-water mark is reached twice, each time by another tensor."""
    with Ledger(CPU, [], []).record() as recording:
        first = torch.zeros(10)
        del first
        second = torch.ones(10)
        del second
    (facts,) = listed(recording)["temporaries"].largest
    assert facts.operator == "aten.zeros.default"
