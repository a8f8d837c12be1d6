"""A step's layers and lines, and the largest tensors of each category."""

from __future__ import annotations

from fake import FakeProgram
from fake_training import training
from vramtop.protocol.observed.report import Layer, Line, Split, TensorFacts


def test_a_layer_has_what_its_parameters_have_and_what_it_made() -> None:
    result = training().report()
    assert result.layers == (
        Layer("fc", "Linear", 1000, 1000, 2000, 300),
        Layer("(no module)", "", 0, 0, 0, 4),  # the loss
    )


def test_a_layer_has_nothing_of_its_childrens() -> None:
    program = FakeProgram()
    sizes = {"scale": 1, "h.0.weight": 2, "h.0.mlp.weight": 4, "h.0.mlp.bias": 8}
    owned = {path: program.hold(size) for path, size in sizes.items()}
    for _ in range(2):
        program.period()
        with program.call():
            made = [program.take(16, "", "h.0"), program.take(32, "", ""), program.take(64)]
        with program.backward():
            program.give(*made)
    for path, address in owned.items():
        program.see("parameters", address, path)
    program.period()
    assert program.report().layers == (
        Layer("h.0", "Linear", 2, 0, 0, 16),
        Layer("", "Linear", 1, 0, 0, 32),
        Layer("h.0.mlp", "", 12, 0, 0, 0),
        Layer("(no module)", "", 0, 0, 0, 64),
    )


def test_a_line_has_what_it_allocated_of_each_category() -> None:
    program = FakeProgram()
    weight = program.hold(100)
    for _ in range(2):
        program.period()
        batch = program.take(7, "train.py:3")
        with program.call():
            program.see("batch_data", batch, "inputs[0]")
            made = [program.take(size, "model.py:9", "fc") for size in (16, 32)]
            program.give(program.take(64, "model.py:9", "fc"))
        with program.backward():
            made.append(program.take(5))
            program.give(*made)
        program.give(batch)
    program.see("parameters", weight, "fc.weight")
    program.period()
    assert program.report().lines == (
        Line("model.py:9", Split(activations=48, temporaries=64)),
        Line("", Split(parameters=100)),
        Line("train.py:3", Split(batch_data=7)),
    )


def test_gradients_that_share_a_bucket_are_told_apart_by_their_shapes() -> None:
    program = FakeProgram()
    bucket = program.hold(100)
    program.period()
    program.period()
    program.see("gradients", bucket, "a.weight", (2, 5))
    program.see("gradients", bucket + 40, "b.weight", (10,))
    program.see("gradients", bucket + 40, "b.tied", (10,))
    program.period()
    result = program.report()
    assert [(layer.name, layer.gradients) for layer in result.layers] == [
        ("a", 40),
        ("b", 40),
        ("(no module)", 20),  # the rest of the bucket
    ]
    (facts,) = result.tensors["gradients"]
    assert (facts.bytes, facts.name, facts.shape) == (100, "a.weight.grad and 1 more", None)


def test_views_without_addresses_of_their_own_are_told_apart_by_their_names() -> None:
    program = FakeProgram()
    bucket, whole = program.hold(100), program.hold(8)
    program.period()
    for _ in range(2):
        program.period()
        program.see("gradients", bucket, "a.weight", (2, 5), view=True)
        program.see("gradients", bucket, "b.weight", (15,), view=True)
        program.see("parameters", whole, "c.weight", (2,))
        program.see("parameters", whole, "d.tied", (2,))
    result = program.report(source="operators")
    held = {layer.name: (layer.parameters, layer.gradients) for layer in result.layers}
    assert held == {"a": (0, 40), "b": (0, 60), "c": (8, 0)}


def test_a_layer_counts_what_it_has_at_a_categorys_high_water() -> None:
    program = FakeProgram()
    for _ in range(2):
        program.period()
        with program.call():
            made = [program.take(8, "", "a"), program.take(4, "", "b")]
        with program.backward():
            program.give(*made)
        with program.call():
            later = program.take(2, "", "c")
        with program.backward():
            program.give(later)
    program.period()
    result = program.report()
    assert [(layer.name, layer.activations) for layer in result.layers] == [("a", 8), ("b", 4)]


def test_a_category_lists_its_largest_tensors() -> None:
    tensors = training().report().tensors
    assert tensors["parameters"] == (
        TensorFacts(1000, "fc.weight", "", "", (10, 25), "float32", None),
    )
    assert tensors["gradients"] == (
        TensorFacts(1000, "fc.weight.grad", "", "", (10, 25), "float32", "backward", "load"),
    )
    assert tensors["optimizer_state"] == (
        TensorFacts(2000, "fc.weight.exp_avg", "", "", (10, 25), "float32", None),
    )
    assert tensors["batch_data"] == (
        TensorFacts(100, "inputs[0]", "train.py:7", "", (), "float32", "load", "load"),
    )
    assert tensors["activations"] == (
        TensorFacts(300, "", "train.py:3", "fc", None, None, "forward", "backward"),
        TensorFacts(4, "", "train.py:9", "", None, None, "forward", "forward"),
    )
    assert [facts.bytes for facts in tensors["temporaries"]] == [800]
    assert [facts.bytes for facts in tensors["other"]] == [50]


def test_only_the_largest_tensors_are_listed() -> None:
    program = FakeProgram()
    for size in range(1, 21):
        program.hold(size)
    for _ in range(3):
        program.period()
    sizes = [facts.bytes for facts in program.report().tensors["other"]]
    assert sizes == list(range(20, 12, -1))
