"""The first line: what is trained, with which settings, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace
from rich.segment import Segment
from textual.strip import Strip
from vramtop.protocol.lesson.messages import Data, LessonSample
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Device, Program, Sample
from vramtop.protocol.observed.record import Input
from vramtop.tui.state.state import Life, State
from vramtop.tui.terminal.palette import Palette, ink
from vramtop.tui.words import units, watching
from vramtop.tui.worker.link import Watched

from .panel import Panel

_DATASETS = {"mnist": "MNIST", "cifar10": "CIFAR-10"}


class StatusFacts(msgspec.Struct, frozen=True):
    """What the line is made from; `settings` and `data` are the lesson's."""

    program: Program | None
    settings: Settings | None
    data: Data | None
    device: Device | None
    sample: Sample | None
    life: Life
    stuck: bool
    paused: bool
    slow: bool
    watched: Watched | None


# The least widths for whole words, for more than the essentials, and for all that always stays.
_WIDE = 110
_WORDS = 100
_NARROW = 70
_SLIM = 58


class RankedText(msgspec.Struct, frozen=True):
    """A text. Where there is no room, the highest rank is left out first; rank 0 always stays."""

    rank: int
    text: str
    strong: bool = False
    muted: bool = False
    accent: bool = False
    flag: bool = False


class StatusLine(Panel[StatusFacts]):
    """One line; its numbers stand in fields that do not move."""

    LIVE = True

    def pick(self, state: State) -> StatusFacts:
        """The program or the lesson's settings, and the latest sample."""
        lesson = state.lesson
        return StatusFacts(
            program=state.program,
            settings=lesson.settings if lesson else None,
            data=lesson.configured.data if lesson and lesson.configured else None,
            device=state.device,
            sample=state.sample,
            life=state.life,
            stuck=lesson.stuck if lesson else False,
            paused=state.paused,
            slow=state.slow,
            watched=state.watched,
        )

    def draw(self, shown: StatusFacts, width: int, height: int) -> list[Strip]:
        """What runs at the left, numbers at the right; texts without room are left out whole."""
        del height
        left, right = _left(shown, width), _right(shown, width)
        room = _room(left, right, width)
        for rank in range(9, 0, -1):
            if room > 0:
                break
            left = [part for part in left if part.rank != rank]
            right = [part for part in right if part.rank != rank]
            room = _room(left, right, width)
        if room <= 0:
            left = [replace(part, text=part.text.replace("  batch ", "  b ")) for part in left]
            room = _room(left, right, width)
        parts, colors = (*left, RankedText(0, " " * max(1, room)), *right), self.palette
        segments = Segment.simplify(_segment(part, colors) for part in parts)
        return [Strip(segments).crop(0, width)]


def _left(shown: StatusFacts, width: int) -> list[RankedText]:
    """What runs, and on what."""
    name = RankedText(7, "vramtop  ", muted=True)
    device = RankedText(8, f"  {shown.device.name}" if shown.device else "", muted=True)
    if shown.watched is not None:
        devices = shown.watched.devices
        if len(devices) > 1:
            device = RankedText(1, f"  {shown.watched.device} of {len(devices)}")
        return [name, *_watched(shown.watched), device]
    if shown.settings is None:
        program = RankedText(0, shown.program.name if shown.program else "", strong=True)
        return [name, program, device]
    cap = RankedText(0 if width >= _SLIM else 4, _cap(shown.settings.budget, width))
    return [name, *_settings(shown.settings, shown.data, width), device, cap]


def _watched(watched: Watched) -> list[RankedText]:
    """A program that is watched: what it does, and with which shapes."""
    rank = watched.rank
    ranked = f"  rank {rank} of {watched.world_size}" if rank is not None else ""
    return [
        RankedText(0, watched.program, strong=True),
        RankedText(3, f"  pid {watched.pid}", muted=True),
        RankedText(1, ranked),
        RankedText(4, f"  {watched.kind}" if watched.kind else "", accent=True),
        *_shapes(watched.inputs),
    ]


def _shapes(inputs: Sequence[Input]) -> list[RankedText]:
    """The first input; then how many there are besides."""
    if not inputs:
        return []
    first, more = inputs[0], len(inputs) - 1
    shape = "×".join(map(str, first.shape)) or "scalar"
    besides = f" +{more}" if more else ""
    return [RankedText(5, f"  {shape}"), RankedText(7, f" {first.dtype}{besides}", muted=True)]


def _settings(settings: Settings, data: Data | None, width: int) -> list[RankedText]:
    """The lesson's data and settings."""
    source = f" {data.source}" if data else ""
    name = _DATASETS[settings.dataset]
    if data and data.source == "files":  # which may be others of the same format
        name = data.description.partition(",")[0]
    added = settings.accumulation > 1
    gap = " " if width >= _WORDS else ""
    times = f"{gap}×{settings.accumulation}" if added else ""
    total = f"{gap}={gap}{settings.effective_batch:,}" if added else ""
    return [
        RankedText(0, name, strong=True),
        RankedText(0, source, muted=True),
        RankedText(0, f"  batch {settings.batch_size:,}{times}", strong=True, accent=True),
        RankedText(4, total, strong=True, accent=True),
        RankedText(0 if width >= _SLIM else 1, f"  {settings.optimizer}"),
        RankedText(6, f"  lr {units.learning_rate(settings.rate)}"),
        RankedText(9, f"  hidden {settings.hidden:,}", muted=True),
    ]


def _right(shown: StatusFacts, width: int) -> list[RankedText]:
    """Paused or stopped, the speed, the epoch, the step and the loss."""
    sample = shown.sample
    flow = _flow(shown, width)
    parts = [RankedText(0, f" {flow} ", flag=True)] if flow else []
    if sample is None:
        return parts
    epoch: tuple[RankedText, ...] = ()
    if isinstance(sample, LessonSample):
        speed, unit = units.rate(sample.samples_per_second), " samples/s"
        epoch = _number(5, "epoch" if width >= _WORDS else "ep", f"{sample.epoch:>5,}")
    else:
        seconds = sample.step_seconds
        speed, unit = units.pace(1 / seconds if seconds else None), " steps/s"
    watched = shown.watched
    if watched is not None and watched.kind is not None and watched.uncounted is not None:
        name = "watched calls" if watched.kind == "inference" else "watched steps"
        parts += _number(_step_rank(width), name, f"{watched.uncounted:>5,}")
    else:
        parts += [
            RankedText(3, f"{speed:>10}"),
            RankedText(3, unit if width >= _WORDS else "/s", muted=True),
            *epoch,
            *_number(_step_rank(width), "step", f"{sample.step:>7,}"),
        ]
    if watched is not None and watched.spent is not None and watched.seconds is not None:
        name = "watching" if width >= _WIDE else "costs"
        parts += _number(6, name, watching.costs(watched.spent, watched.seconds))
    if isinstance(sample, LessonSample) or sample.loss is not None:
        parts += _number(2 if width < _NARROW else 1, "loss", f"{units.loss(sample.loss):>7}")
    return parts


def _step_rank(width: int) -> int:
    """The step's rank: in narrow lines it stays longer than the loss, in slim ones not."""
    return 3 if width < _SLIM else 1 if width < _NARROW else 2


def _room(left: Sequence[RankedText], right: Sequence[RankedText], width: int) -> int:
    """The cells between them; each of their characters has one."""
    return width - sum(len(part.text) for part in (*left, *right))


def _segment(part: RankedText, colors: Palette) -> Segment:
    if part.flag:
        return Segment(part.text, ink(colors.on_accent, colors.accent, bold=True))
    color = colors.accent if part.accent else colors.muted if part.muted else colors.text
    return Segment(part.text, ink(color, colors.background, bold=part.strong))


def _number(rank: int, name: str, value: str) -> tuple[RankedText, RankedText]:
    return RankedText(rank, f"  {name} ", muted=True), RankedText(rank, value)


def _cap(budget: int | None, width: int) -> str:
    """The budget: `≤ 24.0 MiB`."""
    if budget is None:
        return ""
    return f"  ≤{units.short(budget)}" if width < _NARROW else f"  ≤ {units.size(budget)}"


def _flow(shown: StatusFacts, width: int) -> str:
    if shown.life in ("failed", "gone"):
        if shown.watched is None:
            return "STOPPED"
        return "FAILED" if shown.life == "failed" else "UNWATCHED"
    if shown.life == "ended":
        return "DONE"
    if shown.stuck:
        return "OOM" if width < _NARROW else "OUT OF MEMORY"
    if shown.paused:
        return "PAUSED"
    return "SLOW" if shown.slow else ""
