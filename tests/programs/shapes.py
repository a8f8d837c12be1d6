"""Programs whose batches have several shapes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from parts import batch, cross_entropy, mlp
from running import Run
from torch import nn

SHORT, LONG, SENTENCES, WORDS, FEATURES = 8, 12, 4, 50, 16
FEW, MORE = 4096, 6144  # rows
LIMIT = 1024 << 20  # bytes that the allocator may have
EXACTLY = 2048  # what fits is found to one part in so many


def _until_watched(run: Run, *shapes: tuple[int, ...]) -> Iterator[None]:
    """Steps or calls until some with each of these shapes were watched from now on."""
    begun = len(run.messages)
    while run.goes_on("another kind"):  # it ends where that takes too long
        steps = [each for each in run.messages[begun:] if each["type"] == "watched_step"]
        if {*shapes} <= {tuple(step["inputs"][0]["shape"]) for step in steps}:
            return
        yield


def evaluation_leaves(run: Run) -> None:
    """Sentences of two lengths; an evaluation whose last output is kept while training goes on."""
    model = nn.Sequential(nn.Embedding(WORDS, FEATURES), nn.Linear(FEATURES, WORDS)).to(run.device)
    optimizer = torch.optim.SGD(model.parameters())

    def train(*shapes: tuple[int, ...]) -> None:
        for number, _ in enumerate(_until_watched(run, *shapes)):
            length = LONG if number % 4 < 2 else SHORT
            words = torch.zeros(SENTENCES, length, dtype=torch.int64, device=run.device)
            optimizer.zero_grad()
            cross_entropy(model(words).flatten(0, 1), words.flatten()).backward()
            optimizer.step()

    train((SENTENCES, SHORT), (SENTENCES, LONG))
    words = torch.zeros(2, LONG, dtype=torch.int64, device=run.device)
    with torch.no_grad():
        for _ in _until_watched(run, (2, LONG)):
            output = model(words)
    train((SENTENCES, LONG))
    run.said["left"] = run.bytes([output, words])


def rows_vary(run: Run) -> None:
    """Batches of two sizes; then, unobserved, how many rows really fit into the memory."""
    total = torch.cuda.mem_get_info(run.device)[1]
    torch.cuda.set_per_process_memory_fraction(LIMIT / total, run.device)
    model = mlp(run.device)
    optimizer = torch.optim.SGD(model.parameters())

    def step(rows: int) -> None:
        inputs, targets = batch(run.device, images=rows)
        optimizer.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        optimizer.step()

    for _ in _until_watched(run, (FEW, 32)):
        step(FEW)
    for _ in _until_watched(run, (MORE, 32)):
        step(MORE)
    run.leave()
    fits, fails = MORE, 256 * MORE
    while fails - fits > fits // EXACTLY:
        torch.cuda.empty_cache()
        rows = (fits + fails) // 2
        try:
            step(rows)
            fits = rows
        except torch.OutOfMemoryError:
            fails = rows
    run.said["fits"] = fits
