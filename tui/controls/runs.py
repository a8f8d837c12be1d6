"""Controls of the run: pause, phase by phase, restart, search, comparison, move to another GPU."""

from __future__ import annotations

from collections.abc import Mapping

from vramtop.tui.gpus.moving import CannotMove, destination
from vramtop.tui.state.lesson.facts import known
from vramtop.tui.state.state import State
from vramtop.tui.words import wording
from vramtop.tui.worker.commands import Commands
from vramtop.tui.worker.sweep_plan import Plan

from .reply import Reply, needs_training, not_lesson


@needs_training
def pause(_: State, commands: Commands) -> None:
    """Hold the program, or let it go on."""
    commands.pause()


@needs_training
def advance(_: State, commands: Commands) -> None:
    """Go on by one phase, and hold there."""
    commands.advance()


@needs_training
def slow(_: State, commands: Commands) -> None:
    """Slow motion, or full speed again."""
    commands.slow()


@needs_training
def give_back(_: State, commands: Commands) -> None:
    """Give the allocator's cache back to the driver."""
    commands.give_back()


@needs_training
def restart(state: State, commands: Commands) -> None:
    """Fresh weights, the same settings."""
    commands.restart(known(state.lesson).settings)


@needs_training
def show_image(_: State, commands: Commands, index: int | None = None) -> None:
    """Ask for a training image; without an index, for the one after the last shown."""
    commands.show_image(index)


@needs_training
def find_largest(state: State, commands: Commands) -> Reply:
    """Find the largest batch size that fits."""
    if known(state.lesson).searching:
        return Reply("the search is still on; escape calls it off")
    commands.find_largest()
    return Reply("finding the largest batch; escape calls the search off")


@needs_training
def compare(_: State, commands: Commands, plan: Plan) -> Reply:
    """Train each of the plan's batch sizes from fresh weights, while the training waits."""
    commands.compare(plan)
    begun = wording.comparison_begun(len(plan.trials), plan.trials[0].images or 0)
    return Reply(f"{begun}; escape calls it off")


def call_off(state: State, commands: Commands | None) -> bool:
    """Call off the running search or comparison; False if there is none."""
    lesson = state.lesson
    if commands is None or lesson is None or state.over:
        return False
    if not (lesson.searching or lesson.comparing):
        return False
    commands.call_off()
    return True


def move(
    state: State, commands: Commands | None, place: int, environment: Mapping[str, str]
) -> Reply | None:
    """Move the training to the GPU at this place among the GPUs.

    `environment` is the worker's: it decides which number CUDA gives to that GPU.
    """
    if refusal := not_lesson(state):
        return refusal
    gpus = state.gpus.gpus if state.gpus else ()
    here = state.gpu
    if here is not None and gpus[place] is here:
        return Reply(f"the training is on GPU {here.index}")
    try:
        device = destination(gpus, place, environment)
    except CannotMove as reason:
        return Reply(str(reason), "warning")
    return _move(state, commands, device, gpus[place].index)


@needs_training
def _move(_: State, commands: Commands, device: str, index: int) -> Reply:
    commands.move(device)
    return Reply(f"moving the training to GPU {index}")
