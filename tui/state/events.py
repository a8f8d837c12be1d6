"""What a viewer should hear of although nothing on the screen before them tells it."""

from __future__ import annotations

import msgspec
from vramtop.protocol.gpus import CardsReport

from .state import State


class Event(msgspec.Struct, frozen=True):
    """Something that has just happened, in one line."""

    told: str
    trouble: bool


def event(before: State, after: State, *, covered: bool) -> Event | None:
    """What happened between two states; where the main screen is `covered`, its news as well.

    Uncovered, the news has a line of its own there.
    """
    if after.cards is not before.cards and before.cards is not None and after.cards is not None:
        known = _troubles(before.cards)
        lost = [trouble for trouble in _troubles(after.cards) if trouble not in known]
        if lost:
            return Event(lost[0], trouble=True)
    news = after.news
    if covered and news is not None and news != before.news:
        return Event(news.text, news.trouble)
    return None


def _troubles(report: CardsReport) -> list[str]:
    """Why NVML, or a GPU, tells nothing any more."""
    told = [] if report.trouble is None else [report.trouble]
    return told + [f"GPU {card.index}: {card.trouble}" for card in report.cards if card.trouble]
