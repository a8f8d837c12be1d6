"""Ways to update: PyTorch's implementations, several optimizers, and those of unusual order."""

from __future__ import annotations

import torch
from parts import batch, batches, cross_entropy, mlp, train
from running import Run
from sizes import ACTIVATIONS, BATCH, CLASSES, FLOAT, IMAGES, INPUTS, LOSS, PARAMETERS, PIXELS
from torch import Tensor, nn


def _train(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, **state: int) -> None:
    run.owns(model, optimizer)
    kept, left = ({"activations": size, "temporaries": 0} for size in (ACTIVATIONS, LOSS))
    train(run, model, optimizer, forward=kept, backward=left, step=left | state)


def for_each(run: Run) -> None:
    model = mlp(run.device)
    _train(run, model, torch.optim.Adam(model.parameters(), foreach=True))


def fused(run: Run) -> None:
    model = mlp(run.device)
    _train(run, model, torch.optim.AdamW(model.parameters(), fused=True))


def capturable(run: Run) -> None:
    """Its step counters lie on the GPU; the CPU has none."""
    model = mlp(run.device)
    on_gpu = run.device.type == "cuda"
    optimizer = torch.optim.AdamW(model.parameters(), capturable=on_gpu, amsgrad=True)
    counters = 4 * FLOAT  # one for each parameter; on the CPU they lie there anyway
    _train(run, model, optimizer, optimizer_state=3 * PARAMETERS + counters)


def momentum(run: Run) -> None:
    model = mlp(run.device)
    optimizer = torch.optim.SGD(model.parameters(), momentum=0.9, nesterov=True)
    _train(run, model, optimizer, optimizer_state=PARAMETERS)


def sparse(run: Run) -> None:
    """An embedding's gradients are sparse tensors: two storages each."""
    model = nn.EmbeddingBag(50, 16, mode="sum", sparse=True).to(run.device)
    optimizer = torch.optim.SparseAdam(model.parameters())
    run.owns(model, optimizer)
    for _ in run.steps():
        words = torch.zeros(4, 8, dtype=torch.int64, device=run.device)
        optimizer.zero_grad()
        run.at("load")
        loss = model(words).sum()
        run.at("forward")
        loss.backward()
        run.at("backward")
        optimizer.step()
        run.at("optimizer")


def gan(run: Run) -> None:
    """Two networks, two optimizers. A step is a cycle of both, from either of them on."""
    generator = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, PIXELS)).to(run.device)
    critic = nn.Sequential(nn.Linear(PIXELS, 16), nn.ReLU(), nn.Linear(16, 1)).to(run.device)
    of_generator = torch.optim.Adam(generator.parameters())
    of_critic = torch.optim.SGD(critic.parameters(), momentum=0.9)
    run.owns(generator, critic, of_generator, of_critic)
    for _ in run.steps():
        real, _ = batch(run.device)
        noise = torch.randn(IMAGES, 8, device=run.device)
        of_critic.zero_grad()
        run.at("load", "SGD")
        loss = critic(generator(noise).detach()).mean() - critic(real).mean()
        run.at("forward", "SGD")
        loss.backward()
        run.at("backward", "SGD")
        of_critic.step()
        run.at("optimizer", "SGD")
        of_generator.zero_grad()
        run.at("load", "Adam")
        loss = -critic(generator(torch.randn(IMAGES, 8, device=run.device))).mean()
        run.at("forward", "Adam")
        loss.backward()
        run.at("backward", "Adam")
        of_generator.step()
        run.at("optimizer", "Adam")


def lbfgs(run: Run) -> None:
    """It calls the closure several times within its step, and replaces its state."""
    model = nn.Linear(PIXELS, CLASSES).to(run.device)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4, history_size=3)
    run.owns(model, optimizer)
    inputs, targets = batch(run.device)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs), targets)
        loss.backward()
        return loss

    for _ in run.steps():
        run.at("load", batch_data=INPUTS)
        optimizer.step(closure)
        run.at("optimizer", batch_data=INPUTS)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))  # so that it never converges


def in_backward(run: Run) -> None:
    """Each parameter has an optimizer, which steps as soon as its gradient is there."""
    model = mlp(run.device)
    optimizers = {
        parameter: torch.optim.SGD([parameter], momentum=0.9) for parameter in model.parameters()
    }
    run.owns(model, *optimizers.values())

    def update(parameter: Tensor) -> None:
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(update)
    for inputs, targets in batches(run):
        run.at("load", batch_data=BATCH)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", batch_data=BATCH, activations=ACTIVATIONS)
        loss.backward()
        run.at("backward", gradients=0, optimizer_state=PARAMETERS, activations=LOSS)


def scaled(run: Run) -> None:
    """Automatic mixed precision with a scaler, clipped."""
    model = mlp(run.device)
    optimizer = torch.optim.AdamW(model.parameters())
    kind = run.device.type
    scaler = torch.amp.GradScaler(kind)
    run.owns(model, optimizer)
    for inputs, targets in batches(run):
        optimizer.zero_grad()
        run.at("load", batch_data=BATCH)
        with torch.autocast(kind, dtype=torch.bfloat16):
            loss = cross_entropy(model(inputs), targets)
        scaled_loss = scaler.scale(loss)
        run.at("forward", batch_data=BATCH)
        scaled_loss.backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        run.at("backward", batch_data=BATCH)
        scaler.step(optimizer)
        run.at("optimizer")
        scaler.update()


def averaged(run: Run) -> None:
    """A moving average of the model, which is a module of its own and never called."""
    model = mlp(run.device)
    average = torch.optim.swa_utils.AveragedModel(model)
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, average, optimizer)
    for inputs, targets in batches(run):
        optimizer.zero_grad()
        run.at("load", batch_data=BATCH)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", batch_data=BATCH, activations=ACTIVATIONS, other=0)
        loss.backward()
        run.at("backward", batch_data=BATCH)
        optimizer.step()
        run.at("optimizer")
        average.update_parameters(model)


def averaged_by_hand(run: Run) -> None:
    """The average is a dictionary of tensors: nobody's."""
    model = mlp(run.device)
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, optimizer)
    for inputs, targets in batches(run):
        optimizer.zero_grad()
        run.at("load", batch_data=BATCH, other=PARAMETERS)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", batch_data=BATCH, activations=ACTIVATIONS, other=PARAMETERS)
        loss.backward()
        optimizer.step()
        run.at("optimizer", other=PARAMETERS)
        for name, value in model.state_dict().items():
            average[name].lerp_(value, 0.01)
