"""Programs that run out of memory in each place, on a simulated GPU, watched by the real agent.

Prints for each what the observer has sent, and what the program counted itself at the throw.
Each runs in a forked child, so that all begin with the same allocator.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import torch
from gpu_training import in_child
from torch import Tensor, nn
from vramtop.observer.private_cuda import when_cuda_starts
from watched import Watched, watched

MIB = 2**20
WIDE, CLASSES = 4096, 16  # a wide square of floats has 64 MiB
MORE = 2 * 2**30  # than is free
HUGE = 64 * 2**30  # for the whole device
Told = dict[str, Any]


def requested() -> int:
    return int(torch.cuda.memory_stats()["requested_bytes.all.current"])


class Greedy(nn.Module):
    """Asks for more than there is, once it is told to."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self.told, self.asks = told, False

    def forward(self, inputs: Tensor) -> Tensor:
        if self.asks:
            self.asks = False
            self.told["requested"] = requested()
            torch.empty(MORE, dtype=torch.uint8, device="cuda")  # in forward
        return inputs.relu()


class Program:
    """A network and its optimizer; `told` is what it counts."""

    def __init__(self, seen: Watched) -> None:
        self.told: Told = {}
        self.seen = seen
        self.greedy = Greedy(self.told)
        first, last = nn.Linear(WIDE, WIDE, bias=False), nn.Linear(WIDE, CLASSES, bias=False)
        self.model = nn.Sequential(first.cuda(), self.greedy, last.cuda())
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.hog: Tensor | None = None

    def step(self, images: int = 8) -> None:
        self.optimizer.zero_grad()
        inputs = torch.ones(images, WIDE, device="cuda")
        loss = self.model(inputs).sum()
        loss.backward()
        self.optimizer.step()

    def steps(self, number: int = 3) -> None:
        for _ in range(number):
            self.step()

    def leave_free(self, size: int) -> None:
        """Take all of the device but so many bytes."""
        torch.cuda.empty_cache()
        rest = torch.cuda.mem_get_info()[0] - size
        self.hog = torch.empty(rest, dtype=torch.uint8, device="cuda")

    def runs_out(self, call: Callable[[], object]) -> None:
        """It runs out of memory once; nothing that the request found is kept alive by us."""
        before = torch.cuda.memory_allocated()
        failed = False
        try:
            call()
        except torch.OutOfMemoryError:
            failed = True
        assert failed
        self.told["kept"] = torch.cuda.memory_allocated() - before
        self.told["gradients"] = sum(
            each.grad.nbytes for each in self.model.parameters() if each.grad is not None
        )


def before_anything(program: Program) -> None:
    """The very first request, with no window and no step."""
    program.runs_out(lambda: torch.empty(HUGE, dtype=torch.uint8, device="cuda"))  # before all


def shared_memory(program: Program) -> None:
    """Two parameters are the same memory."""
    program.steps()
    program.model.twin = nn.Linear(1, 1, bias=False)
    program.model.twin.weight = nn.Parameter(program.model[0].weight.detach())
    program.told["requested"] = requested()
    program.runs_out(lambda: torch.empty(MORE, dtype=torch.uint8, device="cuda"))


def load(program: Program) -> None:
    def ask() -> None:
        program.told["requested"] = requested()
        torch.empty(MORE, dtype=torch.uint8, device="cuda")  # in load

    program.steps()
    program.seen.agent.begin()
    program.runs_out(ask)


def forward(program: Program) -> None:
    program.steps()
    program.greedy.asks = True
    program.runs_out(program.step)


def forward_in_a_window(program: Program) -> None:
    program.steps()
    program.seen.agent.begin()
    program.greedy.asks = True
    program.runs_out(program.step)


def forward_in_a_thread(program: Program) -> None:
    """Meanwhile another thread allocates and frees all the time."""
    thread = Thread(target=lambda: forward(program))
    thread.start()
    while thread.is_alive():
        torch.empty(512, device="cuda")


def while_another_thread_is_in_backward(program: Program) -> None:
    """It may write a gradient at any moment."""
    program.steps()
    within, done = Event(), Event()

    def wait(_: Tensor) -> None:
        within.set()
        done.wait()

    outputs = program.model(torch.ones(8, WIDE, device="cuda"))
    outputs.register_hook(wait)
    thread = Thread(target=lambda: outputs.sum().backward())
    thread.start()
    within.wait()
    program.runs_out(lambda: torch.empty(MORE, dtype=torch.uint8, device="cuda"))
    done.set()
    thread.join()


def stale_gradients(program: Program) -> None:
    """They are still held in the next forward, and would have been enough."""

    def forward() -> None:
        program.model(inputs)  # keeps gradients

    program.steps()
    inputs = torch.ones(1, WIDE, device="cuda").expand(WIDE, -1)
    program.leave_free(20 * MIB)
    program.told["requested"] = requested()
    program.runs_out(forward)


def backward(program: Program, *, window: bool = False) -> None:
    """The operator that makes the gradient of a hidden layer."""

    def run_backward() -> None:
        loss.backward()  # asks for gradients

    program.steps()
    if window:
        program.seen.agent.begin()
    inputs = torch.ones(WIDE, WIDE, device="cuda")
    program.optimizer.zero_grad()
    loss = program.model(inputs).sum()
    program.leave_free(20 * MIB)
    # Before it, the gradients of the sum and of the last weight are made.
    program.told["requested"] = requested() + 4 + 4 * WIDE * CLASSES
    program.runs_out(run_backward)


def backward_in_a_window(program: Program) -> None:
    backward(program, window=True)


def first_step_of_the_optimizer(program: Program) -> None:
    """There is room for one of the two states of a weight."""

    def step() -> None:
        optimizer.step()  # makes its state

    program.steps()
    program.optimizer.state.clear()
    optimizer = program.optimizer = torch.optim.Adam(program.model.parameters())
    program.model(torch.ones(8, WIDE, device="cuda")).sum().backward()
    program.leave_free(100 * MIB)
    program.told["requested"] = requested() + 4 * WIDE * WIDE
    program.runs_out(step)


def evaluation(program: Program, *, grad: bool = True) -> None:
    program.steps()
    program.optimizer.zero_grad()
    program.model.eval()
    program.greedy.asks = True
    with torch.set_grad_enabled(grad):
        program.runs_out(lambda: program.model(torch.ones(WIDE, WIDE, device="cuda")))


def evaluation_without_gradients(program: Program) -> None:
    evaluation(program, grad=False)


def fragments(program: Program) -> None:
    program.steps()
    holes, pins = [], []
    torch.cuda.empty_cache()
    for _ in range(4):
        torch.empty(64 * MIB, dtype=torch.uint8, device="cuda")  # leaves a segment
        holes.append(torch.empty(48 * MIB, dtype=torch.uint8, device="cuda"))
        pins.append(torch.empty(16 * MIB, dtype=torch.uint8, device="cuda"))  # pins
    holes.clear()
    large = {
        name: torch.cuda.memory_stats()[f"{name}_bytes.large_pool.current"]
        for name in ("reserved", "active")
    }
    program.told["in_pieces"] = large["reserved"] - large["active"]
    rest = torch.cuda.mem_get_info()[0]
    program.hog = torch.empty(rest - 20 * MIB, dtype=torch.uint8, device="cuda")
    program.told["requested"] = requested()
    program.runs_out(lambda: torch.empty(96 * MIB, dtype=torch.uint8, device="cuda"))  # in pieces


def caught_again_and_again(program: Program) -> None:
    """It is caught, and the training goes on."""
    for _ in range(3):
        program.steps()
        program.greedy.asks = True
        with suppress(torch.OutOfMemoryError):
            program.step()
    watched_before = len(program.seen.of("watched_step"))
    program.seen.until("watched_step", program.step, watched_before + 3)


# After their first steps no other window opens by itself.
UNWATCHED = (
    before_anything, shared_memory, forward, forward_in_a_thread,
    while_another_thread_is_in_backward,
    stale_gradients, backward, first_step_of_the_optimizer, evaluation,
    evaluation_without_gradients, fragments,
)  # fmt: skip
WATCHED = (load, forward_in_a_window, backward_in_a_window, caught_again_and_again)


def observed(scene: Callable[[Program], None], *, due: bool) -> Told:
    gc.disable()
    with watched(due=due) as seen:
        when_cuda_starts(seen.agent.cuda_starts)
        program = Program(seen)
        scene(program)
        sent = [message for message in seen.messages if message["type"] != "progress"]
        steps = len(seen.of("watched_step"))
        denied = [message for message in sent if message["type"] == "out_of_memory"]
        last = [message for message in sent if message["type"] == "watched_step"][-1:]
        removed = [message for message in sent if message["type"] == "removed"]
        return program.told | {"denied": denied, "last": last, "removed": removed, "steps": steps}


def main() -> None:
    told = {}
    for scenes, due in ((UNWATCHED, False), (WATCHED, True)):
        for scene in scenes:
            told[scene.__name__] = in_child(
                lambda: observed(scene, due=due),  # noqa: B023
                warned="memory allocation failed with OOM",
            )
    print(json.dumps(told))


if __name__ == "__main__":
    main()
