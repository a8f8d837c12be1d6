"""Trainings that are put together otherwise."""

from __future__ import annotations

import copy
from queue import SimpleQueue
from threading import Thread

import torch
from parts import batch, batches, cross_entropy, mlp, mlp_with_adamw
from running import Run
from sizes import (
    ACTIVATIONS,
    BATCH,
    CLASSES,
    FLOAT,
    HIDDEN,
    IMAGES,
    INPUTS,
    LOSS,
    PARAMETERS,
    PIXELS,
    TARGETS,
)
from torch import Tensor, nn


def critic_steps_more_often(run: Run) -> None:
    """Five steps of the critic for one of the generator; a step is the whole cycle."""
    generator = nn.Linear(8, PIXELS).to(run.device)
    critic = nn.Sequential(nn.Linear(PIXELS, 16), nn.ReLU(), nn.Linear(16, 1)).to(run.device)
    of_generator = torch.optim.Adam(generator.parameters())
    of_critic = torch.optim.RMSprop(critic.parameters())
    run.owns(generator, critic, of_generator, of_critic)
    for _ in run.steps(of="Adam"):
        for _ in range(5):
            real, _ = batch(run.device)
            fake = generator(torch.randn(IMAGES, 8, device=run.device)).detach()
            of_critic.zero_grad()
            (critic(fake).mean() - critic(real).mean()).backward()
            of_critic.step()
        of_generator.zero_grad()
        noise = torch.randn(IMAGES, 8, device=run.device)
        run.at("load", "Adam")
        loss = -critic(generator(noise)).mean()
        run.at("forward", "Adam")
        loss.backward()
        run.at("backward", "Adam")
        of_generator.step()
        run.at("optimizer", "Adam")


def teacher(run: Run) -> None:
    """A copy of the model is called without gradients in each step, and follows the model."""
    model = mlp(run.device)
    follows = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, follows, optimizer)
    for _ in run.steps():
        inputs, _ = batch(run.device)
        optimizer.zero_grad()
        run.at("load", parameters=2 * PARAMETERS)
        with torch.no_grad():
            wanted = follows(inputs)
        loss = (model(inputs) - wanted).square().mean()
        run.at("forward", parameters=2 * PARAMETERS)
        del wanted
        loss.backward()
        run.at("backward", activations=LOSS)
        optimizer.step()
        run.at("optimizer")
        with torch.no_grad():
            for mine, its in zip(follows.parameters(), model.parameters(), strict=True):
                mine.lerp_(its, 0.1)


def rollouts(run: Run) -> None:
    """Many calls without gradients collect what one step then learns from."""
    policy = mlp(run.device)
    optimizer = torch.optim.Adam(policy.parameters())
    run.owns(policy, optimizer)
    for _ in run.steps():
        seen: list[Tensor] = []
        with torch.no_grad():
            for _ in range(10):
                state = torch.randn(1, PIXELS, device=run.device)
                policy(state).argmax()
                seen.append(state)
        states = torch.cat(seen)
        del seen, state
        optimizer.zero_grad()
        loss = policy(states).square().mean()
        run.at("forward")
        loss.backward()
        run.at("backward", activations=LOSS)
        optimizer.step()
        run.at("optimizer")


def tensors_only(run: Run) -> None:
    """No module: the optimizer alone knows the parameters, and no call says what a batch is."""
    weight = torch.randn(PIXELS, CLASSES, device=run.device, requires_grad=True)
    optimizer = torch.optim.Adam([weight])
    run.owns(optimizer)
    size = FLOAT * PIXELS * CLASSES
    for _ in run.steps():
        inputs = torch.randn(IMAGES, PIXELS, device=run.device)
        optimizer.zero_grad()
        loss = (inputs @ weight).square().mean()
        run.at("forward", parameters=size)
        loss.backward()
        run.at("backward", parameters=size, gradients=size, activations=INPUTS + LOSS)
        optimizer.step()
        run.at("optimizer", parameters=size)


def parts_called_apart(run: Run) -> None:
    """The model itself is never called, only what it consists of."""
    encoder, head = nn.Linear(PIXELS, HIDDEN), nn.Linear(HIDDEN, CLASSES)
    model = nn.ModuleDict({"encoder": encoder, "head": head}).to(run.device)
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, optimizer)
    for inputs, targets in batches(run):
        optimizer.zero_grad()
        run.at("load", batch_data=BATCH)
        hidden = encoder(inputs).relu()
        loss = cross_entropy(head(hidden), targets)
        run.at("forward", batch_data=BATCH, activations=ACTIVATIONS)
        loss.backward()
        del hidden
        run.at("backward", batch_data=BATCH, activations=LOSS)
        optimizer.step()
        run.at("optimizer")


def half_with_master_weights(run: Run) -> None:
    """The model is in half precision, and the optimizer has a copy in single precision."""
    model = mlp(run.device).to(torch.bfloat16)
    masters = [parameter.detach().float().requires_grad_() for parameter in model.parameters()]
    optimizer = torch.optim.AdamW(masters)
    run.owns(model, optimizer)
    for _ in run.steps():
        inputs, targets = batch(run.device)
        inputs = inputs.to(torch.bfloat16)
        run.at("load", parameters=PARAMETERS + PARAMETERS // 2)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", batch_data=BATCH - INPUTS // 2)
        loss.backward()
        for master, parameter in zip(masters, model.parameters(), strict=True):
            master.grad = parameter.grad.float()
            parameter.grad = None
        run.at("backward")
        optimizer.step()
        run.at("optimizer")
        optimizer.zero_grad()
        with torch.no_grad():
            for master, parameter in zip(masters, model.parameters(), strict=True):
                parameter.copy_(master)


def recurrent(run: Run) -> None:
    torch.backends.cudnn.enabled = False  # it is not simulated
    model = nn.LSTM(8, 16, num_layers=2, batch_first=True).to(run.device)
    optimizer = torch.optim.AdamW(model.parameters())
    run.owns(model, optimizer)
    state = None
    for _ in run.steps():
        inputs = torch.randn(4, 10, 8, device=run.device)
        optimizer.zero_grad()
        output, state = model(inputs, state)
        state = tuple(each.detach() for each in state)
        loss = output.square().mean()
        del output
        run.at("forward")
        loss.backward()
        run.at("backward")
        optimizer.step()
        run.at("optimizer")


def prefetched_on_a_stream(run: Run) -> None:
    """The next batch is copied on a stream of its own, and recorded on the main one."""
    stream = torch.cuda.Stream()
    source = torch.randn(IMAGES, PIXELS).pin_memory()
    classes = torch.zeros(IMAGES, dtype=torch.int64).pin_memory()

    def fetch() -> tuple[Tensor, Tensor]:
        with torch.cuda.stream(stream):
            images = source.to(run.device, non_blocking=True)
            return images, classes.to(run.device, non_blocking=True)

    model, optimizer = mlp_with_adamw(run)
    following = fetch()
    for _ in run.steps():
        torch.cuda.current_stream().wait_stream(stream)
        inputs, targets = following
        inputs.record_stream(torch.cuda.current_stream())
        targets.record_stream(torch.cuda.current_stream())
        following = fetch()
        optimizer.zero_grad()
        # Targets go into no call; where the step after uses them, they look like what is kept.
        run.at("load", batch_data=2 * BATCH - TARGETS, other=TARGETS)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", batch_data=2 * BATCH - TARGETS, activations=ACTIVATIONS, other=TARGETS)
        loss.backward()
        run.at("backward", activations=LOSS)
        optimizer.step()
        run.at("optimizer")


def cache_emptied(run: Run) -> None:
    model, optimizer = mlp_with_adamw(run)
    for inputs, targets in batches(run):
        optimizer.zero_grad()
        torch.cuda.empty_cache()
        run.at("load", batch_data=BATCH)
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", batch_data=BATCH, activations=ACTIVATIONS)
        loss.backward()
        torch.cuda.empty_cache()
        optimizer.step()
        run.at("optimizer")


def generation(run: Run) -> None:
    """Inference token by token, with a cache of keys that grows by one each call."""
    model = nn.Linear(8, 8).to(run.device).eval()
    run.owns(model)
    keys: list[Tensor] = []
    with torch.no_grad():
        for _ in run.steps("inference"):
            word = torch.randn(1, 8, device=run.device)
            run.at("load", "inference")
            keys.append(model(word))
            run.at("forward", "inference")
            del keys[:-16]


def validation_in_each_step(run: Run) -> None:
    model, optimizer = mlp_with_adamw(run)
    for _ in run.steps():
        inputs, targets = batch(run.device)
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", batch_data=BATCH, activations=ACTIVATIONS)
        loss.backward()
        run.at("backward", batch_data=BATCH, activations=LOSS)
        optimizer.step()
        run.at("optimizer")
        with torch.no_grad():
            inputs, targets = batch(run.device)
            cross_entropy(model(inputs), targets).item()


def optimizer_replaced(run: Run) -> None:
    """A new model and optimizer every few steps, as a search for a learning rate has them."""
    for number in run.steps():
        if number % 7 == 0:
            model = mlp(run.device)
            optimizer = torch.optim.AdamW(model.parameters())
            run.forget()
            run.owns(model, optimizer)
            # No watched step is an optimizer's first one, which has no state before.
            cross_entropy(model(batch(run.device)[0]), batch(run.device)[1]).backward()
            optimizer.step()
        inputs, targets = batch(run.device)
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs), targets)
        run.at("forward", activations=ACTIVATIONS)
        loss.backward()
        run.at("backward", activations=LOSS)
        optimizer.step()
        run.at("optimizer")


def two_in_threads(run: Run) -> None:
    """Another thread calls a model of its own while each step is under way."""
    turns: SimpleQueue[bool] = SimpleQueue()

    def other() -> None:
        model = nn.Linear(PIXELS, CLASSES).to(run.device)
        run.owns(model)
        while turns.get():
            with torch.no_grad():
                model(batch(run.device)[0])

    turns.put(True)
    thread = Thread(target=other)
    thread.start()
    model, optimizer = mlp_with_adamw(run)
    for _ in run.steps(of="AdamW"):
        turns.put(True)
        inputs, targets = batch(run.device)
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
    turns.put(False)
    thread.join()
    run.at("optimizer", "AdamW")
