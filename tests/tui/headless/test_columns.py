from __future__ import annotations

from vramtop.tui.headless.columns import Column, fitting, lines

WHERE = Column("GPU", ["0", "10"])
NAME = Column("name", ["A", "BB"], rank=1, right=False)
LOAD = Column("load", ["7%", "100%"], rank=2)
COMMAND = Column("command", ["python train.py", "x"], right=False, flexible=True)
ALL = [WHERE, NAME, LOAD, COMMAND]


def names(room: int | None, least: int = 10) -> list[str]:
    return [column.name for column in fitting(ALL, room, least)]


def test_numbers_stand_to_the_right_and_names_to_the_left() -> None:
    assert lines(ALL, None) == [
        "GPU  name  load  command",
        "  0  A       7%  python train.py",
        " 10  BB    100%  x",
    ]


def test_columns_are_left_out_until_the_others_fit_the_highest_rank_first() -> None:
    assert names(None) == names(27) == ["GPU", "name", "load", "command"]
    assert names(26) == names(21) == ["GPU", "name", "command"]
    assert names(20) == names(1) == ["GPU", "command"]


def test_a_short_flexible_column_needs_no_more_than_it_has() -> None:
    assert names(26, least=99) == ["GPU", "name", "command"]
    assert len(fitting(ALL[:3], 15, 0)) == 3


def test_no_line_is_longer_than_the_room() -> None:
    drawn = lines(fitting(ALL, 20, 10), 20)
    assert drawn == ["GPU  command", "  0  python train.py", " 10  x"]
    assert lines(fitting(ALL, 12, 4), 12)[1] == "  0  python…"
