"""The choices that are kept, and files that cannot be used."""

from __future__ import annotations

import json
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from vramtop.tui.app.choices import Choices
from vramtop.tui.app.config import CannotKeep, Config, usual

LIGHT = Choices(theme="light", layout="charts", refresh=10)
# Another monitor, which keeps one choice again and again.
MONITOR = """
import sys
from pathlib import Path
from vramtop.tui.app.config import Config

name, *values = sys.argv[2:]
config = Config(Path(sys.argv[1]))
print("ready", flush=True)
for _ in range(150):
    for value in values:
        config.keep(**{name: int(value) if value.isdigit() else value})
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vramtop" / "config.json"


def test_what_was_chosen_is_there_the_next_time(path: Path) -> None:
    Config(path).keep(theme="light", layout="charts")
    Config(path).keep(refresh=10)
    assert Config(path).read() == (LIGHT, None)
    assert json.loads(path.read_text()) == {"theme": "light", "layout": "charts", "refresh": 10}


def test_without_a_file_nothing_was_chosen_and_nothing_is_wrong(path: Path) -> None:
    assert Config(path).read() == (Choices(), None)
    assert Config().read() == (Choices(), None)
    Config().keep(theme="light")
    assert not path.parent.exists()


def test_it_lies_where_the_platform_has_such_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    usual().keep(layout="memory")
    assert Config(tmp_path / "vramtop" / "config.json").read()[0].layout == "memory"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (
            '{"theme": "pink"}',
            'theme is dark, light, high-contrast or terminal, not "pink"',
        ),
        ('{"layout": 3}', "layout is everything, memory or charts, not 3"),
        ('{"refresh": 7}', "refresh is 1, 2, 4 or 10, not 7"),
        ('{"refresh": 1.0}', "refresh is 1, 2, 4 or 10, not 1.0"),
        ('{"refresh": true}', "refresh is 1, 2, 4 or 10, not true"),
        ('{"refresh": [1]}', "refresh is 1, 2, 4 or 10, not [1]"),
        (
            '{"layout": 8, "refresh": 0}',
            "layout is everything, memory or charts, not 8; refresh is 1, 2, 4 or 10, not 0",
        ),
    ],
)
def test_a_value_that_is_not_offered_is_named_and_the_others_hold(
    path: Path, content: str, wrong: str
) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"theme": "light"} | json.loads(content)))
    choices, trouble = Config(path).read()
    assert trouble == f"{path}: {wrong}"
    assert choices == Choices(theme=None if "theme" in content else "light")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"theme: dark", b"1"])
def test_a_broken_file_is_reported_in_one_line_and_mended_by_the_next_choice(
    path: Path, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert Config(path).read() == (Choices(), f"{path} is not a JSON object, and is not used")
    Config(path).keep(refresh=1)
    assert Config(path).read() == (Choices(refresh=1), None)


def test_an_unknown_setting_is_ignored_and_not_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"colour": "blue", "theme": "dark"}')
    assert Config(path).read() == (Choices(theme="dark"), None)
    Config(path).keep(layout="memory")
    assert json.loads(path.read_text()) == {"theme": "dark", "layout": "memory"}


def test_a_file_that_cannot_be_read_is_reported_in_one_line(path: Path) -> None:
    path.mkdir(parents=True)  # which root cannot read as a file either
    choices, trouble = Config(path).read()
    assert choices == Choices()
    assert trouble == f"cannot read the choices kept: {path}: Is a directory"


def test_a_place_that_cannot_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotKeep, match=r"^cannot keep the choice: .*file.*: File exists$"):
        Config(tmp_path / "file" / "config.json").keep(theme="dark")


def test_nothing_is_left_behind_where_the_file_cannot_be_replaced(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(CannotKeep, match="Is a directory"):
        Config(path).keep(theme="dark")
    assert list(path.parent.iterdir()) == [path]


def test_a_link_to_a_file_elsewhere_stays_a_link(tmp_path: Path, path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "dotfiles.json")
    Config(path).keep(theme="light")
    assert path.is_symlink()
    assert json.loads((tmp_path / "dotfiles.json").read_text()) == {"theme": "light"}


def test_a_choice_of_one_monitor_does_not_undo_that_of_another(path: Path) -> None:
    one, other = Config(path), Config(path)
    one.read()
    other.keep(theme="light")
    one.keep(layout="memory")
    assert Config(path).read() == (Choices(theme="light", layout="memory"), None)


def test_two_monitors_that_write_at_once_never_leave_half_a_file(path: Path) -> None:
    asked = (("theme", "dark", "light"), ("refresh", "1", "10"))
    monitors = [
        subprocess.Popen(
            [sys.executable, "-c", MONITOR, str(path), *choice], stdout=subprocess.PIPE, text=True
        )
        for choice in asked
    ]
    for monitor in monitors:
        assert monitor.stdout
        assert monitor.stdout.readline() == "ready\n"
    while any(monitor.poll() is None for monitor in monitors):
        assert Config(path).read()[1] is None
    for monitor in monitors:
        monitor.communicate()
    assert [monitor.returncode for monitor in monitors] == [0, 0]
    assert list(path.parent.iterdir()) == [path]


def test_without_a_home_and_an_entry_in_passwd_nothing_is_kept_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(_: int) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    config = usual()
    assert config.read() == (Choices(), "no home directory is known here: choices are not kept")
    config.keep(theme="light")
    assert config.read()[0] == Choices()


def test_that_a_choice_cannot_be_kept_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = Config(tmp_path / "file" / "vramtop" / "config.json")
    with pytest.raises(CannotKeep, match="cannot"):
        config.keep(theme="light")
    config.keep(theme="dark")
