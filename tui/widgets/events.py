"""What a viewer should hear of although nothing on the screen before them tells it."""

from __future__ import annotations

from vramtop.protocol.gpus import CardsReport
from vramtop.tui.state.state import State

from .headlines import Headline, headline


def event(before: State, after: State, *, covered: bool) -> Headline | None:
    """What happened between two states; where the main screen is `covered`, its news as well.

    Uncovered, the news has a line of its own there.
    """
    if after.cards is not before.cards and before.cards is not None and after.cards is not None:
        known = _troubles(before.cards)
        lost = [trouble for trouble in _troubles(after.cards) if trouble not in known]
        if lost:
            return Headline(lost[0], trouble=True)
    news = after.news
    if covered and news is not None and news != before.news:
        return headline(news)
    return None


def _troubles(report: CardsReport) -> list[str]:
    """Why NVML, or a GPU, tells nothing any more."""
    whole = [] if report.trouble is None else [report.trouble]
    return whole + [f"GPU {card.index}: {card.trouble}" for card in report.cards if card.trouble]
