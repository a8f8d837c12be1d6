"""`vramtop sweep`: every size from the same start, on the same images."""

import csv
import io
import json
from importlib.util import find_spec

import pytest
from command import all_ends, assert_refused, complaint, vramtop


def sweep(*arguments):
    return vramtop("sweep", *arguments)


def rows(*arguments):
    result = sweep(*arguments, "--format", "json", "--device", "cpu")
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def learned(row):
    """What must not depend on what was run before: all but the times."""
    return {name: value for name, value in row.items() if "second" not in name}


@pytest.fixture(scope="module")
def found():
    """The rows of two sizes whose rate is scaled, of which the smaller is run first."""
    return rows("--batch-size", "64,1000", "--images", "6500", "--lr-scale", "linear")


def test_a_size_learns_the_same_to_the_bit_whatever_was_run_before_it(found):
    _, after = rows("--batch-size", "500,64", "--images", "6500")
    assert learned(after) == learned(found[0])


def test_every_size_sees_exactly_as_many_images_and_is_tested_at_their_end(found):
    # 94 steps of an epoch and 8 of the next one; 6 and 1.
    assert [(row["images"], row["steps"]) for row in found] == [(6_500, 102), (6_500, 7)]
    assert [row["learning_rate"] for row in found] == [0.001, 0.001 * 1000 / 64]
    for row in found:
        assert 0.3 < row["test_accuracy"] < 1
        assert row["test_loss"] > 0
        assert row["seconds"] > row["step_seconds"]
        assert row["spread"] is None


def test_repeats_are_other_starts_and_a_size_that_does_not_fit_is_tried_once_also_as_csv():
    sizes = ("--batch-size", "64,4096", "--steps", "5", "--vram", "5MiB", "--repeat", "2")
    result = sweep(*sizes, "--format", "csv", "--device", "cpu")
    assert (result.returncode, result.stderr) == (0, "")
    small, large = csv.DictReader(io.StringIO(result.stdout))
    assert (small["images"], small["steps"], small["repeats"]) == ("320", "5", "2")
    assert float(small["spread.test_loss.low"]) < float(small["spread.test_loss.high"])
    assert small["boundaries.load.parameters"] == "407080"
    assert (small["oom"], large["oom"]) == ("false", "true")


def test_the_table_says_what_was_the_same_and_how_long_it_took():
    result = sweep("--batch-size", "256,1024", "--images", "6000", "--lr-scale", "sqrt")
    assert result.returncode == 0
    assert "lr 0.001 × √(batch/256)" in result.stdout
    assert "the same 6,000 images (one epoch) in the same order" in result.stdout
    assert "1,000 images, seen after a run's last step" in result.stdout
    assert "to start the worker once" in result.stdout


BAD = [
    (["sweep", "--batch-size", "64,64"], "each batch size is given once, 64 is there again"),
    (["sweep", "--batch-size", "16-64"], "a whole number from 1 to 6,000, not '16-64'"),
    (["sweep", "--batch-size", "64,7000"], "not 7,000: there are no more training images"),
    (["sweep", "--batch-size", ""], "with a comma between two, not ''"),
    (["sweep", "--images", "1000"], "batch 4,096 needs at least --images 16,096"),
    (["sweep", "--images", "0"], "images is a whole number from 1 to"),
    (
        ["sweep", "--images", "9000", "--steps", "9"],
        "so many --images or so many --steps: give one",
    ),
    (["sweep", "--repeat", "0"], "repeat is a whole number from 1 to 1,000, not 0"),
    (["sweep", "--lr-scale", "cubic"], "invalid choice: 'cubic' (choose from"),
    (["sweep", "--lr", "999", "--lr-scale", "linear"], "by linear scaling from 999 at batch 64"),
    (["sweep", "--plot", "plot.pdf"], "a plot ends in .svg or .png"),
    (
        ["sweep", "--plot", "nowhere/plot.svg"],
        "cannot be written to nowhere/plot.svg: No such file",
    ),
]


@pytest.fixture(scope="module")
def ends():
    """How each of the command lines with bad input ends."""
    return all_ends([arguments for arguments, _ in BAD])


@pytest.mark.parametrize("place", range(len(BAD)), ids=[" ".join(line) for line, _ in BAD])
def test_bad_input_gets_one_line_before_the_run(ends, place):
    assert_refused(ends[place], BAD[place][1])


@pytest.mark.skipif(find_spec("matplotlib") is not None, reason="matplotlib is there")
def test_a_plot_without_matplotlib_is_refused_before_the_run(tmp_path):
    line = complaint("sweep", "--plot", str(tmp_path / "plot.svg"))
    assert line == "vramtop: --plot needs matplotlib: pip install 'vramtop-lab[plot]'\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="--plot is an optional extra")
def test_a_plot_is_drawn_beside_the_rows(tmp_path):
    file = tmp_path / "plot.svg"
    result = sweep("--batch-size", "500,2000", "--images", "6000", "--plot", str(file))
    assert (result.returncode, result.stderr) == (0, "")
    assert "2,000" in result.stdout
    assert "accuracy on the test data" in file.read_text()


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="--plot is an optional extra")
def test_a_disk_that_is_full_at_the_end_loses_no_row(tmp_path):
    file = tmp_path / "plot.svg"
    file.symlink_to("/dev/full")
    result = sweep("--batch-size", "500", "--images", "6000", "--plot", str(file))
    assert (result.returncode, result.stderr) == (
        1,
        f"vramtop: cannot write {file}: No space left on device\n",
    )
    assert "accuracy" in result.stdout
