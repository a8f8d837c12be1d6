"""Each category: what was measured, beside what the program expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from vramtop.protocol.messages import Difference, Expectation, Measured, Program
from vramtop.protocol.split import Anatomy, Category, Phase


class CategoryFacts(msgspec.Struct, frozen=True):
    """One category, its high water in bytes, and the phase that first reaches it.

    `high_water` is None until a step was measured; `phase` also where the category is empty.
    `expected` and `difference` are None where the program expects nothing. `notes` is what more
    there is to say, in fewer and fewer words.
    """

    category: Category
    expected: Expectation | None = None
    high_water: int | None = None
    phase: Phase | None = None
    difference: Difference | None = None
    notes: tuple[str, ...] = ()

    @property
    def unexplained(self) -> bool:
        """Whether it differs from what is expected without a reason."""
        difference = self.difference
        return difference is not None and difference.bytes != 0 and not difference.reasons


def category_facts(
    categories: Sequence[Category],
    program: Program | None,
    measured: Measured | None,
    notes: Mapping[Category, tuple[str, ...]],
) -> tuple[CategoryFacts, ...]:
    """The facts of each of these categories."""
    expected = {row.category: row for row in program.expected} if program else {}
    if measured is None:
        return tuple(CategoryFacts(category, expected.get(category)) for category in categories)
    anatomy = measured.anatomy
    differences = {row.category: row for row in measured.differences}
    return tuple(
        CategoryFacts(
            category,
            expected.get(category),
            anatomy.high_water.of(category),
            _high_water_phase(anatomy, category),
            differences.get(category),
            notes.get(category, ()),
        )
        for category in categories
    )


def expected_total(lines: tuple[CategoryFacts, ...]) -> int | None:
    """The sum of the expected bytes; None where nothing is expected."""
    sizes = [line.expected.bytes for line in lines if line.expected is not None]
    return sum(sizes) if sizes else None


def _high_water_phase(anatomy: Anatomy, category: Category) -> Phase | None:
    """The phase in which this category is first at its high water; None where it never is."""
    highest = anatomy.high_water.of(category)
    phases = (m.phase for m in anatomy.curve if m.split.of(category) == highest)
    return next(phases, None) if highest else None
