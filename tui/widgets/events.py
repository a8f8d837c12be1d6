"""What a toast says, since nothing on the open screen shows it."""

from __future__ import annotations

from vramtop.protocol.gpus import GpusReport
from vramtop.tui.state.state import State

from .headlines import Headline, headline


def event(before: State, after: State, *, covered: bool) -> Headline | None:
    """What happened between two states.

    News counts only where the main screen is `covered`, since it has a line for the news.
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
    """Why NVML or a GPU no longer answers."""
    whole = [] if report.trouble is None else [report.trouble]
    return whole + [f"GPU {gpu.index}: {gpu.trouble}" for gpu in report.gpus if gpu.trouble]
