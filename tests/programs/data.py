"""Ways to load batches."""

from __future__ import annotations

import torch
from parts import batch, batches, cross_entropy, mlp, mlp_with_adamw
from running import Run
from sizes import ACTIVATIONS, BATCH, CLASSES, FLOAT, IMAGES, INPUTS, LONG, LOSS, PIXELS
from torch.utils.data import DataLoader, TensorDataset


def with_workers(run: Run) -> None:
    """A process loads; batches wait in pinned memory, which is not the device's.

    Of several processes one may be ahead, and its batch would wait beside the one that is used.
    """
    images = torch.randn(8 * IMAGES, PIXELS)
    dataset = TensorDataset(images, torch.zeros(8 * IMAGES, dtype=torch.int64))
    loader = DataLoader(
        dataset,
        batch_size=IMAGES,
        num_workers=1,
        pin_memory=run.device.type == "cuda",
        persistent_workers=True,
    )
    model, optimizer = mlp_with_adamw(run)
    goes_on = True
    while goes_on:
        for cpu_inputs, cpu_targets in loader:
            if not (goes_on := run.goes_on()):
                break
            inputs = cpu_inputs.to(run.device, non_blocking=True)
            targets = cpu_targets.to(run.device, non_blocking=True)
            optimizer.zero_grad()
            run.at("load", batch_data=BATCH)
            loss = cross_entropy(model(inputs), targets)
            run.at("forward", batch_data=BATCH, activations=ACTIVATIONS)
            loss.backward()
            run.at("backward", activations=LOSS)
            optimizer.step()
            run.at("optimizer")


def fetched_ahead(run: Run) -> None:
    """The next batch is fetched between the forward and the backward, as nanoGPT does."""

    def fetch() -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.randn(IMAGES, PIXELS, device=run.device)
        classes = torch.zeros(IMAGES, dtype=torch.int64, device=run.device)
        return images, classes

    model = torch.nn.Module()
    model.layers = mlp(run.device)
    model.forward = lambda images, classes: cross_entropy(model.layers(images), classes)
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, optimizer)
    inputs, targets = fetch()
    for _ in run.steps():
        run.at("load", batch_data=BATCH)
        loss = model(inputs, targets)
        inputs, targets = fetch()
        # What the loss needs of the batch before is alive until its backward.
        run.at("forward", batch_data=2 * BATCH, activations=ACTIVATIONS)
        loss.backward()
        run.at("backward", batch_data=BATCH, activations=LOSS)
        optimizer.step()
        run.at("optimizer", batch_data=BATCH)
        optimizer.zero_grad()


def scaled_pixels(run: Run) -> None:
    """Pixels come as bytes, and are gone when the call begins."""
    model, optimizer = mlp_with_adamw(run)
    for _ in run.steps():
        pixels = torch.zeros(IMAGES, PIXELS, dtype=torch.uint8, device=run.device)
        inputs = pixels.to(torch.float32)
        del pixels
        targets = torch.zeros(IMAGES, dtype=torch.int64, device=run.device)
        optimizer.zero_grad()
        run.at("load", batch_data=BATCH, temporaries=0)
        # The inputs before are released as soon as there are new ones.
        run.highest(batch_data=BATCH + INPUTS)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", batch_data=BATCH, activations=ACTIVATIONS)
        loss.backward()
        run.at("backward", activations=LOSS)
        optimizer.step()
        run.at("optimizer")


def one_batch_for_all(run: Run) -> None:
    """The same batch in every step: older than the step, and still a batch."""
    model, optimizer = mlp_with_adamw(run)
    inputs, targets = batch(run.device)
    # The targets go into no call. The CPU's recorder does not see what nobody makes or owns.
    of_targets = LONG * IMAGES if run.device.type == "cuda" else 0
    for _ in run.steps():
        optimizer.zero_grad()
        run.at("load", batch_data=INPUTS, other=of_targets)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", batch_data=INPUTS, other=of_targets, activations=ACTIVATIONS)
        loss.backward()
        run.at("backward", batch_data=INPUTS, other=of_targets, activations=LOSS)
        optimizer.step()
        run.at("optimizer", batch_data=INPUTS, other=of_targets)


def whole_set_on_device(run: Run) -> None:
    """Batches are views of one tensor that holds all images."""
    images = torch.randn(4 * IMAGES, PIXELS, device=run.device)
    classes = torch.zeros(4 * IMAGES, dtype=torch.int64, device=run.device)
    model, optimizer = mlp_with_adamw(run)
    for number in run.steps():
        part = slice(number % 4 * IMAGES, (number % 4 + 1) * IMAGES)
        optimizer.zero_grad()
        run.at("load", batch_data=4 * INPUTS, other=4 * LONG * IMAGES)
        loss = cross_entropy(model(images[part]), classes[part])
        run.at("forward", batch_data=4 * INPUTS, activations=ACTIVATIONS)
        loss.backward()
        run.at("backward", activations=LOSS)
        optimizer.step()
        run.at("optimizer")


def keyword_inputs(run: Run) -> None:
    """The batch goes in by name, in a dictionary."""

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = mlp(run.device)

        def forward(self, *, example: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            logits = self.layers(example["inputs"])
            return {"loss": cross_entropy(logits, example["labels"]), "logits": logits}

    model = Model()
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, optimizer)
    for inputs, targets in batches(run):
        example = {"inputs": inputs, "labels": targets}
        optimizer.zero_grad()
        run.at("load", batch_data=BATCH)
        output = model(example=example)
        logits = FLOAT * IMAGES * CLASSES
        run.at("forward", batch_data=BATCH, activations=ACTIVATIONS + logits)
        output["loss"].backward()
        del output
        run.at("backward", activations=0)
        optimizer.step()
        run.at("optimizer", activations=0)
