"""Programs in which something goes wrong."""

from __future__ import annotations

import torch
from parts import batch, batches, cross_entropy, mlp_with_adamw, train
from running import Run
from sizes import ACTIVATIONS, BATCH, LOSS
from torch import Tensor


class _Broken(RuntimeError):
    pass


def exception_kept(run: Run) -> None:
    """Each forward fails once after its layers; the exception is kept, and its frames' tensors."""
    model, optimizer = mlp_with_adamw(run)
    fails = True

    def fail(_: torch.nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        if fails:
            kept_by_frame = output * 2
            raise _Broken(f"{len(args)} inputs, {kept_by_frame.shape}")

    model[2].register_forward_hook(fail)
    errors: list[_Broken] = []
    for _ in run.steps():
        fails = True
        optimizer.zero_grad()
        run.at("load")
        try:
            model(batch(run.device)[0])
        except _Broken as error:
            errors = [error]
        fails = False
        inputs, targets = batch(run.device)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward")
        loss.backward()
        run.at("backward")
        optimizer.step()
        run.at("optimizer")
    run.said["errors"] = len(errors)


def backward_fails(run: Run) -> None:
    """A backward that fails, as at a second pass through a graph that is gone, and one that not."""
    model, optimizer = mlp_with_adamw(run)
    for inputs, targets in batches(run):
        optimizer.zero_grad()
        run.at("load", batch_data=BATCH)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", batch_data=BATCH, activations=ACTIVATIONS)
        loss.backward()
        try:
            loss.backward()
        except RuntimeError:
            run.said["failed"] = True
        run.at("backward", batch_data=BATCH, activations=LOSS)
        optimizer.step()
        run.at("optimizer")


def out_of_memory(run: Run) -> None:
    """After some watched steps a batch does not fit, and the program ends."""
    train(run, *mlp_with_adamw(run))
    try:
        torch.empty(64 << 30, dtype=torch.uint8, device=run.device)
    except torch.cuda.OutOfMemoryError:
        run.said["failed"] = True


def out_of_memory_in_a_step(run: Run) -> None:
    """Every second step is given up because a batch does not fit, and the training goes on."""
    model, optimizer = mlp_with_adamw(run)
    for number in run.steps():
        optimizer.zero_grad()
        try:
            inputs, targets = batch(run.device)
            run.at("load")
            loss = cross_entropy(model(inputs), targets)
            run.at("forward")
            if number % 2:
                torch.empty(64 << 30, dtype=torch.uint8, device=run.device)
            loss.backward()
            run.at("backward")
            optimizer.step()
            run.at("optimizer")
        except torch.cuda.OutOfMemoryError:
            del inputs, targets
            loss = None
