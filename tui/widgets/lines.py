"""The lines of text at the bottom: the log, the news, the keys."""

from __future__ import annotations

from textwrap import wrap

from msgspec.structs import replace
from rich.text import Text
from textual.timer import Timer
from vramtop.tui.state.state import Life, News, State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.words import units

from .hints import ENDS, hints, key_line
from .panel import Panel

_KEYS = (
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

_ANSWER_SECONDS = 5.0

_PAUSED = {"pause": ("space", "resume"), "optimizer": ("← →", "moment")}

_FIRST = (
    "press + and watch the batch double; ? tells how to read the bars",
    "+ doubles the batch; ? tells how to read the bars",
)


class Log(Panel[tuple[str, ...]]):
    """The last lines of the log: what the worker said or printed."""

    def pick(self, state: State) -> tuple[str, ...]:
        """The log."""
        return state.log

    def draw(self, shown: tuple[str, ...], width: int, height: int) -> Text:
        """As many of the last lines as fit, the newest brightest; long ones are wrapped."""
        colors, room, lines = self.palette, height - 1, list[Text]()
        for line in reversed(shown):
            style = ink(colors.muted if lines else colors.text)
            pieces = wrap(line, width, subsequent_indent="  ") or [""]
            if len(lines) + len(pieces) > room and lines:
                break
            lines = [Text(piece, style) for piece in pieces] + lines
        picture = Text("log", style=ink(colors.muted))
        for piece in lines[max(0, len(lines) - room) :] if room > 0 else []:
            picture.append("\n").append_text(piece)
        return picture


class NewsLine(Panel[tuple[News | None, Life]]):
    """What changed last, for whoever looks up after an hour.

    The answer to a key is shown in its place for a while, or until there is other news.
    """

    _answer: News | None = None
    _before: News | None = None  # the news in whose place the answer is shown
    _timer: Timer | None = None

    def answer(self, answer: News) -> bool:
        """Show this in the place of the news; False where it has no room."""
        width, height = self.content_size
        if len(_pieces(answer, width)) > height:
            return False
        self._answer, self._before = answer, self._shown[0] if self._shown else None
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_ANSWER_SECONDS, self._show_news)
        self.draw_again()
        return True

    def _show_news(self) -> None:
        self._answer = None
        self.draw_again()

    def pick(self, state: State) -> tuple[News | None, Life]:
        """The news."""
        return state.news, state.life

    def draw(self, shown: tuple[News | None, Life], width: int, height: int) -> Text:
        """As many lines as there is room for; trouble has its own colour."""
        news, life = shown
        colors = self.palette
        if self._answer is not None and news is self._before:
            news = self._answer
        if news is None:
            first = _FIRST if life in ("starting", "running") else ()
            text = next((text for text in first if len(text) <= width), "")
            return Text(text, ink(colors.muted))
        forms = [_pieces(form, width) for form in (news, *_shorter(news))]
        pieces = next((form for form in forms if len(form) <= height), forms[0])
        if len(pieces) > height:
            pieces[height - 1] = units.fit(" ".join(pieces[height - 1 :]), width)
        style = ink(colors.trouble, bold=True) if news.trouble else ink(colors.text)
        return Text("\n".join(pieces[:height]), style)


class Foot(NewsLine):
    """The news or, where there is none, the keys, in one line that always has help and quit."""

    def draw(self, shown: tuple[News | None, Life], width: int, height: int) -> Text:
        """The news at the left, in as many words as there is room for."""
        if shown[0] is None and self._answer is None:
            return key_line(_KEYS, ENDS, width, self.palette)
        ends = hints(ENDS, self.palette)
        line = super().draw(shown, max(2, width - ends.cell_len - 2), height)
        line.append(" " * max(0, width - line.cell_len - ends.cell_len))
        return line.append_text(ends)


def _shorter(news: News) -> list[News]:
    return [replace(news, text=text) for text in news.shorter]


def _pieces(news: News, width: int) -> list[str]:
    """The whole news in lines of this width."""
    return wrap(f"{'! ' if news.trouble else '▸ '}{news.text}", max(2, width)) or [""]


class KeyLine(Panel[tuple[bool, bool]]):
    """The keys, the most used first; help, which lists all of them, and quit are always there."""

    def pick(self, state: State) -> tuple[bool, bool]:
        """Whether the training is paused, and whether its worker has ended."""
        return state.paused, state.over

    def draw(self, shown: tuple[bool, bool], width: int, height: int) -> Text:
        """As many keys as there is room for."""
        del height
        paused, over = shown
        keys = [_PAUSED.get(usual[1], usual) if paused else usual for usual in _KEYS]
        if over:
            keys.insert(0, ("R", "another worker"))
        return key_line(keys, ENDS, width, self.palette)
