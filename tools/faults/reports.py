"""Faults of the report on a program that is not ours."""

from __future__ import annotations

from .fault import Fault

_TESTS = ("tests/accounting/program/",)
_GROWTH = ("tests/accounting/program/test_growth.py",)
_SHAPES = ("tests/accounting/program/test_shapes.py",)
_ROOM = ("tests/accounting/program/test_room.py",)
_SEEN = ("tests/tui/programs/test_seen.py", "tests/tui/programs/test_link.py")

REPORTS = (
    Fault(
        "an address that is used again means the first block that had it",
        "accounting/program/blocks.py",
        "latest = bisect_left(births, place) - 1",
        "latest = 0",
        _TESTS,
    ),
    Fault(
        "an address beyond a block's end means that block",
        "accounting/program/blocks.py",
        "return block if address < block.address + block.size else None",
        "return block",
        _TESTS,
    ),
    Fault(
        "what lies between the networks of a GAN is load",
        "accounting/program/phases.py",
        ' or (before == "call" and ahead.beyond_calls == "backward")',
        "",
        _TESTS,
    ),
    Fault(
        "a call inside backward is forward",
        "accounting/program/phases.py",
        'if "backward" in open_ or',
        'if open_[-1:] == ["backward"] or',
        _TESTS,
    ),
    Fault(
        "what a generator makes is the discriminator's batch",
        "accounting/program/ownership.py",
        " and not (stretch is not None and stretch.called)",
        "",
        _TESTS,
    ),
    Fault(
        "what is kept for ever is still an activation",
        "accounting/program/ownership.py",
        "if stretch is None or self._kept(block):",
        "if stretch is None:",
        _TESTS,
    ),
    Fault(
        "the loss is a batch fetched ahead if its line loads too",
        "accounting/program/ownership.py",
        "if self._made_after_call(block) and self._went_into_call(block)",
        "if self._went_into_call(block)",
        _TESTS,
    ),
    Fault(
        "a tensor of a workspace's size is a workspace",
        "accounting/program/ownership.py",
        "            and block not in self._with_tensors\n",
        "",
        _TESTS,
    ),
    Fault(
        "bytes that are missing count less than bytes too many",
        "accounting/program/walk.py",
        "max(unattributed, key=abs, default=None)",
        "max(unattributed, default=None)",
        _TESTS,
    ),
    Fault(
        "all gradients of a bucket belong to the first one's layer",
        "accounting/program/naming.py",
        "first.setdefault((sighting.address, alike), (name, label))",
        "first.setdefault((block.address, alike), (name, label))",
        _TESTS,
    ),
    Fault(
        "a shape's peak is that of its latest step",
        "accounting/program/shapes.py",
        "peak=max(row.peak, peak),",
        "peak=peak,",
        _SHAPES,
    ),
    Fault(
        "steps of a shape without a row are forgotten",
        "accounting/program/shapes.py",
        "unlisted=before.shapes.unlisted + unlisted,",
        "unlisted=unlisted,",
        _SHAPES,
    ),
    Fault(
        "evaluation left what training keeps",
        "accounting/program/shapes.py",
        "if before.evaluated and before.other is not None",
        "if before.other is not None",
        _SHAPES,
    ),
    Fault(
        "shapes of any length have a common slope in rows",
        "accounting/program/room.py",
        "return both and (one.dtype, one.shape[1:]) == (other.dtype, other.shape[1:])",
        "return both and one.dtype == other.dtype",
        _ROOM,
    ),
    Fault(
        "what the optimizer's step needs for a moment grows with the rows of the batch",
        "accounting/program/room.py",
        'split.temporaries if moment.phase in ("forward", "backward") else 0',
        "split.temporaries",
        _ROOM,
    ),
    Fault(
        "an estimate is proved beyond what it said of the rows",
        "accounting/program/room.py",
        "min(rows, before.most_rows)",
        "rows",
        _ROOM,
    ),
    Fault(
        "room for more rows is reckoned with a program that has just ended",
        "tui/programs/seen.py",
        "min(before, now)",
        "now",
        _SEEN,
    ),
    Fault(
        "each new peak has a line, whichever rows and shape it has",
        "tui/programs/shown.py",
        "if self._peak and before and not self._peak.alike(before):",
        "if self._peak and before and self._peak != before:",
        _SEEN,
    ),
    Fault(
        "what was filled once grows for ever",
        "accounting/program/growth.py",
        "return since if rises >= _LEAST_RISES and still else None",
        "return since if rises >= _LEAST_RISES else None",
        _GROWTH,
    ),
    Fault(
        "what fell in between grows all the same",
        "accounting/program/growth.py",
        "            if more < 0:\n                break\n",
        "",
        _GROWTH,
    ),
    Fault(
        "who holds what grows is not asked",
        "tui/programs/programs.py",
        "all_ = all_ or self.growth(device, step) is not None",
        "",
        ("tests/tui/programs/test_programs.py",),
    ),
    Fault(
        "predicted gradients are gone before the optimizer's step has ended",
        "accounting/program/early_release.py",
        "now, backward = recorded.step.cut + 1,",
        "now, backward = recorded.step.cut,",
        _TESTS,
    ),
    Fault(
        "a prediction of the optimizer's step is said to be exact",
        "accounting/program/other_optimizers.py",
        'return "exact" if max(totals) == peak else "at_most"',
        'return "exact"',
        _TESTS,
    ),
    Fault(
        "a checkpointed module hands nothing on",
        "accounting/program/checkpointing.py",
        "return sum(sizes.elements()) - max(sizes, default=0)",
        "return sum(sizes.elements())",
        _TESTS,
    ),
    Fault(
        "a checkpointed module needs no more than it keeps when it is computed again",
        "accounting/program/checkpointing.py",
        "more = self._highest(places) - sum(block.size for block in again)",
        "more = 0",
        _TESTS,
    ),
    Fault(
        "a checkpointed module's input goes when forward ends",
        "accounting/program/checkpointing.py",
        "yield Change(gone + 1, until, block.size)",
        "yield Change(gone + 1, gone, block.size)",
        _TESTS,
    ),
    Fault(
        "a module that is called twice in a forward is checkpointed as one call",
        "accounting/program/checkpointing.py",
        " and min(visits.values()) == 1",
        "",
        _TESTS,
    ),
)
