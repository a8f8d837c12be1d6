"""How fast the training loop is: observed against unobserved, and against other loops.

    python benchmarks/throughput.py [DEVICE]

Loops take turns of a second, round after round, so that a drift of the machine's speed affects all
of them; ratios compare neighbouring turns. Two loops of the same kind differ by a per cent or two,
depending on where their arrays lie in memory. So all loops are made anew several times, and one of
them runs twice to show the size of that difference.

The session counts the images it has trained on. Its place in the data and the rate that it reports
must agree with that count; otherwise the benchmark ends with an error.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from statistics import median, quantiles
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from vramtop.protocol.commands import Stop
from vramtop.protocol.lesson.commands import Start
from vramtop.protocol.lesson.messages import LessonSample
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import VERSION
from vramtop.protocol.wire.framing import ToWorker
from vramtop.trainer.data.batches import Batches
from vramtop.trainer.data.datasets import Dataset, Images, Library
from vramtop.trainer.session.outbox import Outbox
from vramtop.trainer.session.session import Session
from vramtop.trainer.session.watching import OBSERVE_SECONDS
from vramtop.trainer.training import models
from vramtop.trainer.training.training import Training
from vramtop.trainer.training.watcher import Unwatched

DEVICE = torch.device(*sys.argv[1:2] or ("cpu",))
TIMES, ROUNDS = 4, 5  # how often loops are made anew, and the turns of each
STEPS = 300
# Twice the interval between observations, so that each turn has its share of them.
TURN_SECONDS = 1.0
DEADLINE_SECONDS = 60  # for a turn to end
RATES_AGREE = 1.15  # the variation of a step's own timing

SAMPLE = Library(None).load("mnist")
# With one test image, an evaluation takes almost no time.
UNTESTED = replace(SAMPLE, test=Images(SAMPLE.test.inputs[:1], SAMPLE.test.targets[:1]))


class Loop(Protocol):
    """A training loop that runs for a turn and stands still until the next."""

    def turn(self) -> float:
        """Train for `TURN_SECONDS`; images a second."""

    def close(self) -> None:
        """End the turns."""


class _Turns(queue.SimpleQueue):
    """A session's inbox, in which the session waits for its turn.

    The session asks `empty` between its steps; `images` is how many it has trained on so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self._begins, self._ended = threading.Semaphore(0), threading.Semaphore(0)
        self._images, self._began = 0, 0.0
        self._closing = False
        self.images: Callable[[], int] = int
        self.rate = 0.0

    def empty(self) -> bool:
        """Whether no command has come; called by the session between its steps."""
        elapsed = time.perf_counter() - self._began
        if elapsed >= TURN_SECONDS and not self._closing:
            self.rate = (self.images() - self._images) / elapsed
            self._ended.release()
            self._begins.acquire()
            self._images, self._began = self.images(), time.perf_counter()
        return super().empty()

    def turn(self) -> float:
        """Let the session run for a turn, and wait until it has ended; images a second."""
        self._wait()
        self._begins.release()
        self._wait()
        self._ended.release()
        return self.rate

    def _wait(self) -> None:
        if not self._ended.acquire(timeout=DEADLINE_SECONDS):
            sys.exit(f"the session did not come to the end of a turn in {DEADLINE_SECONDS} s")

    def stop(self) -> None:
        """Tell the session to stop."""
        self._closing = True
        self.put(Stop())
        self._begins.release()


class SessionLoop:
    """The trainer's own loop, whose messages are read as they come."""

    def __init__(self, dataset: Dataset, batch_size: int, *, observe: bool) -> None:
        self._outbox, self._train_images = Outbox(), len(dataset.train)
        self._batch_size, self._rates, self._reported = batch_size, list[float](), list[float]()
        self._inbox = _Turns()
        start = Start(VERSION, Settings(batch_size=batch_size), observe=observe)
        inbox: queue.SimpleQueue[ToWorker | None] = self._inbox
        session = Session(start, DEVICE, lambda _: dataset, self._outbox, inbox)
        self._inbox.images = lambda: session.progress.images
        self._steps = lambda: session.progress.steps
        self._sample: LessonSample | None = None
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        self._thread = threading.Thread(target=session.run, daemon=True)
        self._thread.start()

    def turn(self) -> float:
        """Train for `TURN_SECONDS`; images a second, evaluations within that time included."""
        self._rates.append(self._inbox.turn())
        return self._rates[-1]

    def close(self) -> None:
        """End the session, and compare what was counted with what it reported."""
        self._inbox.stop()
        self._thread.join(DEADLINE_SECONDS)
        self._outbox.close()
        self._reader.join(DEADLINE_SECONDS)
        if self._thread.is_alive() or self._reader.is_alive():
            sys.exit(f"the session did not end in {DEADLINE_SECONDS} s")
        self._check()

    def _check(self) -> None:
        last = self._sample
        if last is None or not self._reported:
            sys.exit("the session reported no step or no rate")
        by_place = (last.epoch - 1) * self._train_images + last.position
        if last.images != by_place:
            sys.exit(
                f"{last.images:,} images were counted, but the place in the data is {by_place:,}"
            )
        # Each epoch's last step may be short, so the steps give a range of images.
        steps = self._steps() - self._steps() // -(-self._train_images // self._batch_size) - 1
        images = self._inbox.images()
        if not steps * self._batch_size <= images <= self._steps() * self._batch_size:
            sys.exit(f"{self._steps():,} steps of {self._batch_size} are not {images:,} images")
        # The session times its steps alone, so its rate is the higher one.
        counted, reported = median(self._rates), median(self._reported)
        if counted > RATES_AGREE * reported:
            sys.exit(
                f"{counted:,.0f} images a second were counted, but the training reports "
                f"{reported:,.0f}"
            )

    def _drain(self) -> None:
        while envelopes := self._outbox.take():
            for message in (envelope.message for envelope in envelopes):
                if isinstance(message, LessonSample):
                    self._sample = message
                    if message.samples_per_second is not None:
                        self._reported.append(message.samples_per_second)


class PlainLoop:
    """A plain training loop over any batches, with the same model and optimizer."""

    def __init__(self, batches: Callable[[], Iterable[tuple[Tensor, Tensor]]]) -> None:
        self._batches = _forever(batches)
        self._model = models.build((1, 28, 28), 128, 42).to(DEVICE)
        self._optimizer = torch.optim.Adam(self._model.parameters())
        self._criterion = nn.CrossEntropyLoss()

    def turn(self) -> float:
        """Train for `TURN_SECONDS`; images a second."""
        images, began = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < TURN_SECONDS:
            inputs, targets = (part.to(DEVICE) for part in next(self._batches))
            loss = self._criterion(self._model(inputs), targets)
            loss.backward()
            self._optimizer.step()
            self._optimizer.zero_grad()
            images += len(targets)
        return images / elapsed

    def close(self) -> None:
        """Nothing to end: it only runs during a turn."""


def _forever(
    batches: Callable[[], Iterable[tuple[Tensor, Tensor]]],
) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from batches()


def ready(batch_size: int) -> PlainLoop:
    """A tight loop on tensors made beforehand."""
    batches, made = Batches(SAMPLE, 42), []
    while batches.remaining >= batch_size:
        batch = batches.next(batch_size)
        made.append((batch.inputs, batch.targets))
        if batches.epoch > 1:
            break
    return PlainLoop(lambda: made)


def torchvision_loop(batch_size: int) -> PlainLoop:
    """The lesson's loop: torchvision's Dataset with transforms, in a DataLoader."""
    images = SAMPLE.train
    change = transforms.Compose(
        [transforms.ToPILImage(), transforms.ToTensor(), transforms.Normalize(0.1307, 0.3081)]
    )

    class Digits(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            picture = images.inputs[index].view(28, 28)
            return change(picture.numpy()), int(images.targets[index])

    loader = DataLoader(Digits(), batch_size, shuffle=True, drop_last=True)
    return PlainLoop(lambda: loader)


def compare(title: str, makers: dict[str, Callable[[], Loop]]) -> None:
    """All loops in turn, every other round in reverse; prints the first against each other one."""
    rates: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(TIMES):
        loops = {name: make() for name, make in makers.items()}
        for loop in loops.values():
            loop.turn()  # imports, and makes the optimizer's state
        for round_ in range(ROUNDS):
            for name in list(loops) if round_ % 2 else reversed(loops):
                rates[name].append(loops[name].turn())
        for loop in loops.values():
            loop.close()
    first, *_ = makers
    print(f"\n{title}; images a second, median of {TIMES * ROUNDS} turns")
    for name, figures in rates.items():
        line = f"  {name:34} {median(figures):10,.0f}"
        if name != first:
            ratios = [a / b for a, b in zip(rates[first], figures, strict=True)]
            low, middle, high = quantiles(ratios, n=4)
            line += f"   {first} / this {middle:.3f} (quartiles {low:.3f} to {high:.3f})"
        print(line)


def observation(batch_size: int) -> None:
    """The cost of recording a step, and its share of the time at the usual rate."""
    training = Training(Settings(batch_size=batch_size), UNTESTED, DEVICE)

    def step(*, observe: bool) -> float:
        began = time.perf_counter()
        if observe:
            recording = training.ledger.record()
            training.step(batch_size, recording)
            recording.anatomy()
        else:
            training.step(batch_size, Unwatched())
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    pairs = [(step(observe=False), step(observe=True)) for _ in range(STEPS)]
    plain, observed = (median(times) for times in zip(*pairs, strict=True))
    print(
        f"\nbatch {batch_size}: a plain step takes {plain * 1000:.2f} ms, an observed one "
        f"{observed * 1000:.2f} ms; once in {OBSERVE_SECONDS} s that is "
        f"{(observed - plain) / OBSERVE_SECONDS:.2%} of the time"
    )


def main() -> None:
    """All loops at both batch sizes."""
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))
    threads = torch.get_num_threads()
    print(f"torch {torch.__version__}, {threads} threads, MNIST sample, Adam, {DEVICE}")
    for batch_size in (64, 1024):
        observation(batch_size)
        session = partial(SessionLoop, SAMPLE, batch_size)
        compare(
            f"batch {batch_size}, evaluations included",
            {
                "unobserved": partial(session, observe=False),
                "observed": partial(session, observe=True),
                "unobserved too": partial(session, observe=False),
            },
        )
        makers: dict[str, Callable[[], Loop]] = {
            "observed": partial(SessionLoop, UNTESTED, batch_size, observe=True),
            "tight loop, ready tensors": partial(ready, batch_size),
        }
        if batch_size == 64:
            makers["torchvision Dataset + DataLoader"] = partial(torchvision_loop, batch_size)
        compare(f"batch {batch_size}, training alone", makers)


if __name__ == "__main__":
    sys.exit(main())
