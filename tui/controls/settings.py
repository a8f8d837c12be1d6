"""Controls that change a setting. They start from the settings asked for: quick presses add up."""

from __future__ import annotations

from typing import Any

from vramtop.protocol.lesson.settings import DATASETS, OPTIMIZERS
from vramtop.tui.state.lesson.facts import known
from vramtop.tui.state.state import State
from vramtop.tui.words import wording
from vramtop.tui.worker.commands import Commands

from .reply import Reply, needs_training


@needs_training
def change(state: State, commands: Commands, /, **values: Any) -> Reply | None:  # noqa: ANN401 - of each field's type
    """Ask for these settings. While a step is held, the reply says that they come with the next."""
    before = commands.base(known(state.lesson).settings)
    commands.change(known(state.lesson).settings, **values)
    if state.held is None:
        return None
    text = wording.change(before, commands.base(known(state.lesson).settings))
    return Reply(f"{text} from the next step on" if text else "nothing to change")


@needs_training
def resize(state: State, commands: Commands, size: int) -> Reply | None:
    """Ask for a batch of `size` images, or of the nearest number that the data allows."""
    lesson = known(state.lesson)
    assert lesson.configured is not None
    base, images = commands.base(lesson.settings), lesson.configured.data.train_images
    possible = max(1, min(size, images // base.accumulation))
    if possible != base.batch_size:
        return change(state, commands, batch_size=possible)
    if possible == size:
        return Reply(wording.already(base, known(state.lesson).settings))
    return Reply("a batch of 1 is one image" if size < 1 else wording.limit(base, images))


@needs_training
def revisit(state: State, commands: Commands, batch_size: int, accumulation: int) -> Reply | None:
    """Ask for a batch size that was tried before, with as many batches to a step as then."""
    if accumulation == commands.base(known(state.lesson).settings).accumulation:
        return resize(state, commands, batch_size)
    return change(state, commands, batch_size=batch_size, accumulation=accumulation)


@needs_training
def double(state: State, commands: Commands) -> Reply | None:
    """Twice the batch size."""
    return resize(state, commands, commands.base(known(state.lesson).settings).batch_size * 2)


@needs_training
def halve(state: State, commands: Commands) -> Reply | None:
    """Half the batch size."""
    return resize(state, commands, commands.base(known(state.lesson).settings).batch_size // 2)


@needs_training
def more(state: State, commands: Commands) -> Reply | None:
    """A tenth more in a batch, at least one image."""
    size = commands.base(known(state.lesson).settings).batch_size
    return resize(state, commands, size + max(1, size // 10))


@needs_training
def less(state: State, commands: Commands) -> Reply | None:
    """A tenth less in a batch, at least one image."""
    size = commands.base(known(state.lesson).settings).batch_size
    return resize(state, commands, size - max(1, size // 10))


@needs_training
def recommended(state: State, commands: Commands) -> Reply | None:
    """Four fifths of the largest batch size that was found to fit."""
    found = known(state.lesson).found
    if found is None:
        return Reply("first find the largest batch with m")
    return resize(state, commands, found.recommended_batch_size)


@needs_training
def next_optimizer(state: State, commands: Commands) -> Reply | None:
    """The next optimizer, with its own learning rate unless one was typed."""
    here = OPTIMIZERS.index(commands.base(known(state.lesson).settings).optimizer)
    return change(state, commands, optimizer=OPTIMIZERS[(here + 1) % len(OPTIMIZERS)])


@needs_training
def next_dataset(state: State, commands: Commands) -> Reply | None:
    """The other dataset."""
    here = DATASETS.index(commands.base(known(state.lesson).settings).dataset)
    return change(state, commands, dataset=DATASETS[(here + 1) % len(DATASETS)])
