"""What a viewer should hear of although nothing on the screen before them tells it."""

from __future__ import annotations

from vramtop.protocol.gpus import GpusReport
from vramtop.tui.state.state import State

from .headlines import Headline, headline


def event(before: State, after: State, *, covered: bool) -> Headline | None:
    """What happened between two states; where the main screen is `covered`, its news as well.

    Uncovered, the news has a line of its own there.
    """
    if after.gpus is not before.gpus and before.gpus is not None and after.gpus is not None:
        known = _troubles(before.gpus)
        lost = [trouble for trouble in _troubles(after.gpus) if trouble not in known]
        if lost:
            return Headline(lost[0], trouble=True)
    news = after.news
    if covered and news is not None and news != before.news:
        return headline(news)
    return None


def _troubles(report: GpusReport) -> list[str]:
    """Why NVML, or a GPU, tells nothing any more."""
    whole = [] if report.trouble is None else [report.trouble]
    return whole + [f"GPU {gpu.index}: {gpu.trouble}" for gpu in report.gpus if gpu.trouble]
