"""The names of things on the screen, and one line for each thing that happens."""

from __future__ import annotations

from collections.abc import Sequence

from vramtop.protocol.lesson.messages import Evaluated, Found, SearchEnded, Timed, Tried, Trying
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Device
from vramtop.protocol.split import Category, Phase

from . import units

NAMES: dict[Category, str] = {
    "parameters": "Parameters",
    "gradients": "Gradients",
    "optimizer_state": "Optimizer state",
    "batch_data": "Batch data",
    "activations": "Activations",
    "temporaries": "Temporaries",
    "other": "Other",
}
RECOMPUTED = "↻"  # a module that is called in backward again
PHASE_NAMES: dict[Phase, str] = {
    "load": "load",
    "forward": "forward",
    "backward": "backward",
    "optimizer": "optimizer",
    "zero_grad": "zero",
}

_ATEN = "aten."
_NAMED = ("dataset", "optimizer", "device")  # settings whose values need no name before them


def change(old: Settings, new: Settings) -> str:
    """The differences between two settings: `batch 64 → 128`; empty where there are none."""
    return ", ".join(f"{what} {was} → {now}" for what, was, now in _changed(old, new))


def changed_to(old: Settings, new: Settings) -> str:
    """The same in fewer words, without the old values: `batch 128, sgd`."""
    changed = _changed(old, new)
    return ", ".join(now if what in _NAMED else f"{what} {now}" for what, _, now in changed)


def _changed(old: Settings, new: Settings) -> list[tuple[str, str, str]]:
    """Each setting that has changed: its name, the old value, the new one."""
    pairs = (
        ("batch", batch(old), batch(new)),
        ("dataset", old.dataset, new.dataset),
        ("optimizer", old.optimizer, new.optimizer),
        ("hidden", f"{old.hidden:,}", f"{new.hidden:,}"),
        ("lr", units.learning_rate(old.rate), units.learning_rate(new.rate)),
        ("budget", _budget(old), _budget(new)),
        ("device", old.device, new.device),
    )
    return [pair for pair in pairs if pair[1] != pair[2]]


def batch(settings: Settings) -> str:
    """The batch size; where a step adds up several batches, also how many: `64 ×16 = 1,024`."""
    if settings.accumulation == 1:
        return f"{settings.batch_size:,}"
    return f"{settings.batch_size:,} ×{settings.accumulation:,} = {settings.effective_batch:,}"


def already(wanted: Settings, now: Settings) -> str:
    """Why a batch size need not be asked for: it is in force `now`, or already `wanted`."""
    why = "is running already" if wanted == now else "is asked for already"
    return f"batch {batch(wanted)} {why}"


def limit(settings: Settings, images: int) -> str:
    """Why the batch cannot be larger: there are only `images` to train on."""
    if settings.accumulation > 1:
        return f"batch {batch(settings)} is the most that {images:,} images allow"
    return f"a batch of {images:,} is all of the data"


def added(settings: Settings) -> str:
    """The batches that a step adds up, for the end of a list; empty where it is one."""
    return f" · {settings.accumulation} batches a step" if settings.accumulation > 1 else ""


def _budget(settings: Settings) -> str:
    return "none" if settings.budget is None else units.size(settings.budget)


def tried(event: Trying | Tried | Timed) -> str:
    """A batch size that a search tries, whether it fits, or how fast it is."""
    if isinstance(event, Trying):
        return f"trying batch {event.batch_size:,}"
    if isinstance(event, Timed):
        return f"batch {event.batch_size:,}: {event.samples_per_second:,.0f} images/s"
    return f"batch {event.batch_size:,} {'fits' if event.fits else 'does not fit'}"


def searched(event: Trying | Tried | Timed | SearchEnded) -> str:
    """What a search does, or what it has found."""
    if not isinstance(event, SearchEnded):
        return f"largest batch: {tried(event)}"
    found = event.found
    if found is None:
        return "the search for the largest batch is called off"
    reason = f"in {units.size(found.budget)}" if found.limited_by == "memory" else "of all the data"
    sure = "sure to fit " if found.orders > 1 and found.limited_by == "memory" else ""
    return (
        f"largest batch {found.max_batch_size:,} {sure}{reason}{_at_best(found)}, "
        f"recommended {found.recommended_batch_size:,}: press M to take it"
    )


def _at_best(found: Found) -> str:
    return f", perhaps up to {found.at_best:,}" if found.at_best is not None else ""


def unmodelled(keys: Sequence[str]) -> str:
    """Why a prediction is only an estimate: `estimated: max_split_size_mb is not modelled`."""
    verb = "is" if len(keys) == 1 else "are"
    return f"estimated: {', '.join(keys)} {verb} not modelled"


def operator(name: str) -> str:
    """An operator without PyTorch's namespace and overload: `relu` for `aten.relu.default`.

    What is no operator stays as it is: "encoder.0, train.py:88" is a place in the program.
    """
    return name.split(".")[1] if name.startswith(_ATEN) else name


def by(name: str) -> str:
    """`by mm`; of a place in the program, `at encoder.0, train.py:88`."""
    return f"{'by' if name.startswith(_ATEN) or name == 'batch' else 'at'} {operator(name)}"


def maker(name: str, *, grew: bool) -> str:
    """What made a moment: `by mm`, or `after mm` where something was released; may be empty."""
    if name in ("", "batch"):
        return ""
    return by(name) if grew else f"after {operator(name)}"


def evaluated(event: Evaluated) -> str:
    """The result on the test data after an epoch."""
    text = f"epoch {event.epoch:,}: test {event.accuracy:.2%}"
    if event.peak is None:
        return text
    return f"{text}, the evaluation's peak {units.size(event.peak.total)}"


def missing(device: Device) -> str | None:
    """Why the CPU trains where there may be a GPU, in one line; None where that was asked for."""
    return None if device.missing is None else f"no GPU is used: {device.missing}"


def comparison_begun(sizes: int, images: int) -> str:
    """That `sizes` batch sizes are compared, on `images` images each."""
    several = "1 batch size" if sizes == 1 else f"{sizes:,} batch sizes"
    return f"comparing {several} on {images:,} images each, {sizes * images:,} in all"


def comparison_hint(sizes: int, images: int) -> str:
    """What a comparison of `sizes` batch sizes does, and how many images it takes."""
    return (
        f"each from fresh weights on the same {images:,} images,\n"
        f"{sizes * images:,} in all; the training waits meanwhile"
    )
