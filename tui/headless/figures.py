"""Tables of figures, and names that fit into them."""

from __future__ import annotations

from rich.table import Table


def figures(corner: str, *columns: str, described: str = "") -> Table:
    """A table of figures; a column of words may come before them."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(corner, no_wrap=True)
    if described:
        table.add_column(described, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def shortened(text: str, width: int) -> str:
    """The text; where it is longer than `width`, without its middle."""
    if len(text) <= width:
        return text
    end = width // 2
    return f"{text[: width - end - 1]}…{text[-end:]}"
