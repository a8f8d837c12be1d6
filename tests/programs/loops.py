"""Ways to write a training loop."""

from __future__ import annotations

from threading import Thread

import torch
from parts import batch, batches, cross_entropy, mlp, mlp_with_adamw, train
from running import Run
from sizes import ACTIVATIONS, BATCH, CLASSES, FLOAT, IMAGES, INPUTS, LOSS, PARAMETERS, PIXELS
from torch import Tensor, nn


def plain(run: Run) -> None:
    nothing_more = {"temporaries": 0, "other": 0}
    kept, left = {"activations": ACTIVATIONS} | nothing_more, {"activations": LOSS} | nothing_more
    train(run, *mlp_with_adamw(run), forward=kept, backward=left, step=left)


def on_the_cpu_beside_gpus(run: Run) -> None:
    torch.cuda.init()  # as optimizers do, even where all tensors are the CPU's
    run.device = torch.device("cpu")
    plain(run)


def in_a_thread(run: Run) -> None:
    thread = Thread(target=plain, args=(run,))
    thread.start()
    thread.join()


def accumulation(run: Run) -> None:
    model = mlp(run.device)
    optimizer = torch.optim.SGD(model.parameters(), momentum=0.9)
    run.owns(model, optimizer)
    for _ in run.steps():
        for _ in range(4):
            inputs, targets = batch(run.device)
            run.at("load", batch_data=BATCH, activations=LOSS)
            loss = cross_entropy(model(inputs), targets) / 4
            run.at("forward", batch_data=BATCH, activations=ACTIVATIONS, temporaries=0)
            loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        run.at("backward", batch_data=BATCH, activations=LOSS, temporaries=0)
        optimizer.step()
        run.at("optimizer", batch_data=BATCH, activations=LOSS)
        optimizer.zero_grad()


def gradients_stay(run: Run) -> None:
    """Gradients are set to zero, and their memory is kept."""
    model = mlp(run.device)
    optimizer = torch.optim.SGD(model.parameters())
    run.owns(model, optimizer)
    for inputs, targets in batches(run):
        run.at("load", gradients=PARAMETERS, batch_data=BATCH)
        loss = cross_entropy(model(inputs), targets)
        optimizer.zero_grad(set_to_none=False)
        run.at("forward", batch_data=BATCH, activations=ACTIVATIONS)
        loss.backward()
        run.at("backward", batch_data=BATCH, activations=LOSS)
        optimizer.step()
        run.at("optimizer")


def gradients_go_after_step(run: Run) -> None:
    model = mlp(run.device)
    optimizer = torch.optim.SGD(model.parameters())
    run.owns(model, optimizer)
    for inputs, targets in batches(run):
        run.at("load", gradients=0, batch_data=BATCH)
        cross_entropy(model(inputs), targets).backward()
        run.at("backward", gradients=PARAMETERS, activations=0)
        optimizer.step()
        run.at("optimizer", gradients=PARAMETERS)
        optimizer.zero_grad()


def by_hand(run: Run) -> None:
    """No optimizer; the update makes tensors that are gone before the next call."""
    model = mlp(run.device)
    run.owns(model)
    for inputs, targets in batches(run):
        run.at("load", gradients=0, batch_data=BATCH)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", gradients=0, batch_data=BATCH, activations=ACTIVATIONS)
        loss.backward()
        run.at("backward", gradients=PARAMETERS, batch_data=BATCH, activations=LOSS)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.sub_(1e-3 * parameter.grad)
                parameter.grad = None
        # The batch before is released when there is a new one.
        run.highest(batch_data=2 * BATCH)


def evaluation_between_epochs(run: Run) -> None:
    model, optimizer = mlp_with_adamw(run)
    for _ in run.steps("training", "inference"):
        for _ in range(20):
            inputs, targets = batch(run.device)
            optimizer.zero_grad()
            run.at("load", batch_data=BATCH)
            loss = cross_entropy(model(inputs), targets)
            run.at("forward", batch_data=BATCH)
            loss.backward()
            optimizer.step()
            run.at("optimizer")
        model.eval()
        with torch.no_grad():
            for _ in range(20):
                inputs, targets = batch(run.device, images=4)
                run.at("load", "inference")
                model(inputs).argmax(1).eq(targets).sum()
        model.train()


def inference_only(run: Run) -> None:
    model = mlp(run.device).eval()
    run.owns(model)
    with torch.inference_mode():
        for _ in run.steps("inference"):
            inputs = torch.randn(IMAGES, PIXELS, device=run.device)
            run.at("load", "inference", batch_data=INPUTS, activations=0)
            output = model(inputs)
            run.at(
                "forward",
                "inference",
                batch_data=INPUTS,
                activations=0,
                temporaries=FLOAT * IMAGES * CLASSES,
            )
            del output


def losses_kept(run: Run) -> None:
    """A list keeps each loss, and with it what its graph keeps: nothing but itself."""
    model, optimizer = mlp_with_adamw(run)
    history: list[Tensor] = []
    for inputs, targets in batches(run):
        optimizer.zero_grad()
        run.at("load")
        loss = cross_entropy(model(inputs), targets)
        history.append(loss)
        run.at("forward", activations=ACTIVATIONS)
        loss.backward()
        run.at("backward", activations=LOSS)
        optimizer.step()
        run.at("optimizer")
    run.said["kept"] = len(history)


def outputs_kept(run: Run) -> None:
    """A list keeps the last outputs, each with its graph."""
    model, optimizer = mlp_with_adamw(run)
    kept: list[Tensor] = []
    for inputs, targets in batches(run):
        optimizer.zero_grad()
        run.at("load")
        output = model(inputs)
        loss = cross_entropy(output, targets)
        kept.append(output)
        del kept[:-8]
        loss.backward()
        optimizer.step()
        run.at("optimizer")


def lengths_vary(run: Run) -> None:
    model = nn.Sequential(nn.Embedding(50, 16), nn.Linear(16, 50)).to(run.device)
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, optimizer)
    for number in run.steps():
        words = torch.zeros(4, 8 + number % 5, dtype=torch.int64, device=run.device)
        optimizer.zero_grad()
        run.at("load")
        logits = model(words[:, :-1])
        loss = cross_entropy(logits.flatten(0, 1), words[:, 1:].flatten())
        run.at("forward")
        loss.backward()
        run.at("backward")
        optimizer.step()
        run.at("optimizer")


def penalty(run: Run) -> None:
    """The gradient of a gradient, as in a penalty on it: a backward within the forward."""
    model, optimizer = mlp_with_adamw(run)
    for inputs, targets in batches(run):
        inputs.requires_grad_()
        optimizer.zero_grad()
        run.at("load")
        loss = cross_entropy(model(inputs), targets)
        (slope,) = torch.autograd.grad(loss, inputs, create_graph=True)
        (loss + slope.square().sum()).backward()
        run.at("backward")
        optimizer.step()
        run.at("optimizer")
