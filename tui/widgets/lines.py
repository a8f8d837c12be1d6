"""The lines of text at the bottom: the log, the news, the keys."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import msgspec
from rich.text import Text
from textual.timer import Timer
from vramtop.tui.state.news import LogEntry, News
from vramtop.tui.state.state import Life, State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.words import units

from .headlines import SUCCESSOR_KEY, Headline, headline
from .hints import ENDS, Hint, hints, key_line
from .log_lines import log_lines
from .panel import Panel

_LESSON_KEYS = (
    ("+ -", "batch"),
    ("b", "type"),
    ("m", "largest"),
    ("o", "optimizer"),
    ("space", "pause"),
    (".", "phase"),
    ("s", "slow"),
    ("i", "image"),
    ("↑ ↓", "tensors"),
    ("g", "GPUs"),
    ("y", "trends"),
    ("x", "trade"),
    ("z", "scale"),
    ("v", "budget"),
    ("d", "dataset"),
    ("w", "width"),
    ("l", "lr"),
    ("[ ]", "±10%"),
)

# The keys for programs that are not the lesson.
_KEYS = (
    ("↑ ↓", "tensors"),
    ("← →", "moment"),
    ("m", "modules, lines, shapes"),
    ("g", "GPUs"),
    ("y", "trends"),
    ("z", "scale"),
    ("p", "layout"),
    ("t", "theme"),
    ("S", "save"),
)
_OUTPUT, _TYPE = ("f", "output"), ("i", "input")
_NEXT_DEVICE, _NEXT_RANK = ("n", "next device"), ("n", "next rank")
_INSIDE_KEYS = (("esc", "back"), *(key for key in _KEYS if key[0] != "g"))
_INSIDE_ENDS = (("?", "help"), ("q", "GPUs"))

_ANSWER_SECONDS = 5.0

_PAUSED = {"pause": ("space", "resume"), "optimizer": ("← →", "moment")}

_FIRST = (
    "press + and watch the batch double; ? tells how to read the bars",
    "+ doubles the batch; ? tells how to read the bars",
)


class Log(Panel[tuple[LogEntry, ...]]):
    """The last lines of the log: what the worker said or printed, and what happened."""

    def pick(self, state: State) -> tuple[LogEntry, ...]:
        """The log."""
        return state.log

    def draw(self, shown: tuple[LogEntry, ...], width: int, height: int) -> Text:
        """As many of the last lines as fit, the newest brightest; long ones are wrapped."""
        titled = height > 2
        colors, room, lines = self.palette, height - titled, list[Text]()
        newest_first = (line for entry in reversed(shown) for line in reversed(log_lines(entry)))
        for line in newest_first:
            style = ink(colors.muted if lines else colors.text)
            pieces = wrap(line, width, subsequent_indent="  ") or [""]
            left = room - len(lines)
            if len(pieces) > left and lines:
                if left > 0:  # an older entry is begun
                    rest = " ".join(map(str.strip, pieces[left - 1 :]))
                    pieces = [*pieces[: left - 1], units.cut(rest, width)]
                    lines = [Text(piece, style) for piece in pieces] + lines
                break
            lines = [Text(piece, style) for piece in pieces] + lines
        shown_lines = lines[max(0, len(lines) - room) :] if room > 0 else []
        title = [Text("log", ink(colors.muted))] if titled else []
        return Text("\n").join([*title, *shown_lines])


class KeyFacts(msgspec.Struct, frozen=True):
    """Whether the training is paused, whether its worker has ended, whether it is the lesson's.

    `output` tells that the output of a program is shown, `devices` and `ranks` that it has several,
    `inside` that somebody has come to it from the GPUs.
    """

    paused: bool
    over: bool
    lesson: bool
    output: bool
    devices: bool
    ranks: bool
    inside: bool


class NewsFacts(msgspec.Struct, frozen=True):
    """The news, and what decides on the hint that is shown without news."""

    news: News | None
    life: Life
    keys: KeyFacts


class NewsLine(Panel[NewsFacts]):
    """The latest news. It stays, so that it is seen however late somebody looks.

    The answer to a key takes its place for a few seconds, or until there is other news.
    """

    _answer: Headline | None = None
    _before: News | None = None  # the news in whose place the answer is shown
    _timer: Timer | None = None

    def answer(self, answer: Headline) -> bool:
        """Show this in the place of the news; False where it has no room."""
        width, height = self.content_size
        if len(_pieces(answer.text, width, trouble=answer.trouble)) > height:
            return False
        self._answer, self._before = answer, self._shown.news if self._shown else None
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_ANSWER_SECONDS, self._show_news)
        self.draw_again()
        return True

    def _show_news(self) -> None:
        self._answer = None
        self.draw_again()

    def pick(self, state: State) -> NewsFacts:
        """The news."""
        return NewsFacts(state.news, state.life, _key_facts(state))

    def draw(self, shown: NewsFacts, width: int, height: int) -> Text:
        """As many lines as there is room for; trouble has its own colour."""
        colors = self.palette
        if self._answer is not None and shown.news is self._before:
            line = self._answer
        elif shown.news is not None:
            line = headline(shown.news)
        else:
            first = _FIRST if shown.keys.lesson and shown.life in ("starting", "running") else ()
            text = next((text for text in first if len(text) <= width), "")
            return Text(text, ink(colors.muted))
        texts = (line.text, *line.shorter)
        forms = [_pieces(text, width, trouble=line.trouble) for text in texts]
        pieces = next((form for form in forms if len(form) <= height), forms[0])
        if len(pieces) > height:
            pieces[height - 1] = units.cut(" ".join(pieces[height - 1 :]), width)
        style = ink(colors.trouble, bold=True) if line.trouble else ink(colors.text)
        return Text("\n".join(pieces[:height]), style)


class Foot(NewsLine):
    """The news, or else the keys, in one line that always has help and quit."""

    def draw(self, shown: NewsFacts, width: int, height: int) -> Text:
        """The news at the left, in as many words as there is room for."""
        keys, right = _keys(shown.keys)
        if shown.news is None and self._answer is None:
            return key_line(keys, right, width, self.palette)
        ends = hints(right, self.palette)
        line = super().draw(shown, max(2, width - ends.cell_len - 2), height)
        line.append(" " * max(0, width - line.cell_len - ends.cell_len))
        return line.append_text(ends)


def _pieces(text: str, width: int, *, trouble: bool) -> list[str]:
    """All of it, in lines of this width."""
    return wrap(f"{'! ' if trouble else '▸ '}{text}", max(2, width)) or [""]


class KeyLine(Panel[KeyFacts]):
    """The keys, the ones most used first; help, which shows all, and quit are always there."""

    def pick(self, state: State) -> KeyFacts:
        """What decides which keys there are."""
        return _key_facts(state)

    def draw(self, shown: KeyFacts, width: int, height: int) -> Text:
        """As many keys as there is room for."""
        del height
        return key_line(*_keys(shown), width, self.palette)


def _key_facts(state: State) -> KeyFacts:
    watched = state.watched
    output = watched is not None and watched.started
    return KeyFacts(
        paused=state.paused,
        over=state.over,
        lesson=state.lesson is not None,
        output=output,
        devices=watched is not None and len(watched.devices) > 1,
        ranks=output and watched is not None and (watched.world_size or 1) > 1,
        inside=state.inside is not None,
    )


def _keys(facts: KeyFacts) -> tuple[list[Hint], Sequence[Hint]]:
    """The keys, the ones most used first, and those that are always there."""
    usual = _LESSON_KEYS if facts.lesson else _INSIDE_KEYS if facts.inside else _KEYS
    keys = [_PAUSED.get(key[1], key) if facts.paused else key for key in usual]
    if facts.devices or facts.ranks:
        keys.insert(0, _NEXT_DEVICE if facts.devices else _NEXT_RANK)
    if facts.output:
        keys[:0] = [_OUTPUT, _TYPE]
    if facts.over and facts.lesson:
        keys.insert(0, (SUCCESSOR_KEY, "another worker"))
    return keys, _INSIDE_ENDS if facts.inside else ENDS
