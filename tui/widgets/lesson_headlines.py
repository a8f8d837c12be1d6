"""The lesson's news in words."""

from __future__ import annotations

from vramtop.protocol.lesson.messages import Compared, Comparing, SearchEnded, Timed, Tried, Trying
from vramtop.tui.state.lesson.news import ComparisonResult, Restarted, SettingsChanged
from vramtop.tui.words import units, wording

_Facts = (
    SettingsChanged
    | Restarted
    | Trying
    | Tried
    | Timed
    | SearchEnded
    | Comparing
    | ComparisonResult
)


def lesson_headlines(news: _Facts) -> tuple[str, ...]:
    """A line, and the same in fewer and fewer words."""
    match news:
        case SettingsChanged():
            return _changed(news)
        case Restarted():
            return ("fresh weights: the training begins again",)
        case SearchEnded():
            return (wording.searched(news),)
        case Trying() | Tried() | Timed():
            return (f"{wording.searched(news)}, escape calls the search off",)
        case Comparing():
            return (
                f"comparing batch {news.batch_size:,} ({news.number} of {news.runs}): "
                f"{news.done:,} of {news.images:,} images, escape calls it off",
            )
        case ComparisonResult():
            return (_result(news),)


def compared(run: Compared) -> str:
    """The result of one run of a fair comparison."""
    return f"compared from fresh weights: batch {run.settings.batch_size:,} {_run(run)}"


def _changed(news: SettingsChanged) -> tuple[str, ...]:
    change, fewer = wording.change(news.old, news.new), wording.changed_to(news.old, news.new)
    if news.peaks is None:
        return change, fewer
    was, now = map(units.size, news.peaks)
    peak = f"peak {was} → {now}"
    return f"{change}: {peak}", f"{fewer}: {peak}", peak, f"peak {now}"


def _run(run: Compared) -> str:
    if run.out_of_memory:
        return "is out of memory"
    accuracy = "" if run.accuracy is None else f", accuracy {run.accuracy:.2%}"
    return f"test loss {units.loss(run.after)} after {run.images:,} images{accuracy}"


def _result(result: ComparisonResult) -> str:
    if not result.complete:
        kept = "; what was measured is kept" if result.best else ""
        return f"the comparison is called off{kept}"
    if result.best is None:
        return "the comparison came to nothing: no size had room"
    size, loss = result.best
    return (
        f"compared from fresh weights: batch {size:,} has the least test loss, "
        f"{units.loss(loss)}; x shows all"
    )
