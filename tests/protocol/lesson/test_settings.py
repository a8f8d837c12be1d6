"""Settings that can be made, and the message about those that cannot."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vramtop.protocol.lesson import settings
from vramtop.protocol.lesson.settings import OPTIMIZERS, OptimizerName, SettingError, Settings


def test_the_defaults_are_the_lessons() -> None:
    usual = Settings()
    assert (usual.dataset, usual.batch_size, usual.optimizer) == ("mnist", 64, "adam")
    assert (usual.hidden, usual.device, usual.seed) == (128, "auto", 42)
    assert (usual.budget, usual.data_dir, usual.learning_rate) == (None, None, None)


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("sgd", 0.01), ("momentum", 0.01), ("adam", 0.001), ("adamw", 0.001)]
)
def test_the_usual_rate_goes_with_the_optimizer(optimizer: OptimizerName, rate: float) -> None:
    assert Settings(optimizer=optimizer).rate == rate


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_rate_that_was_set_holds_for_every_optimizer(optimizer: OptimizerName) -> None:
    assert Settings(optimizer=optimizer, learning_rate=0.5).rate == 0.5


def test_settings_survive_a_message() -> None:
    chosen = Settings(dataset="cifar10", budget=2**40, seed=settings.MAX_SEED)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(chosen), type=Settings) == chosen


@pytest.mark.parametrize("wrong", [b'{"batch":64}', b'{"optimizer":"lion"}', b'{"hidden":1.5}'])
def test_settings_of_another_kind_are_refused(wrong: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(wrong, type=Settings)


# ---- whole numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1), ("64", 64), ("1,024", 1024), ("1_024", 1024), (" 60000 ", 60000)]
)
def test_batch_sizes_are_read(text: str, number: int) -> None:
    assert settings.parse_batch_size(text, images=60_000) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "1.5",
        "1e3",
        "abc",
        "60001",
        "٣",
        "0x40",
        "9" * 31,
        "1\n2",
        ",",
        "1,2",
        "1,",
        "1_",
    ],
)
def test_other_batch_sizes_are_refused_with_the_limits(text: str) -> None:
    with pytest.raises(SettingError, match=r"^batch size is a whole number from 1 to 60,000, not "):
        settings.parse_batch_size(text, images=60_000)


def test_the_largest_batch_is_all_of_the_images() -> None:
    assert settings.parse_batch_size("6000", images=6_000) == 6_000
    with pytest.raises(SettingError, match=r"from 1 to 6,000, not 6,001: there are no more"):
        settings.parse_batch_size("6001", images=6_000)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("64", [64]), ("64,256, 1_024", [64, 256, 1024]), ("1,256", [1, 256]), ("1,2", [1, 2])],
)
def test_commas_stand_between_the_sizes_of_a_sweep(text: str, sizes: list[int]) -> None:
    assert settings.parse_batch_sizes(text, images=6_000) == sizes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("64,", "a comma between two"),
        ("", "a comma between two"),
        ("1,024", "write 1024 or 1_024"),
        ("64,2,048", "write 1024 or 1_024"),
        ("64,0", "from 1 to 6,000, not 0"),
        ("64,6001", "from 1 to 6,000, not 6,001"),
    ],
)
def test_other_sizes_of_a_sweep_are_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        settings.parse_batch_sizes(text, images=6_000)


@pytest.mark.parametrize("text", ["1", "65536"])
def test_hidden_widths_are_read(text: str) -> None:
    assert settings.parse_hidden(text) == int(text)


@pytest.mark.parametrize("text", ["0", "65537"])
def test_other_hidden_widths_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="hidden width is a whole number from 1 to 65,536"):
        settings.parse_hidden(text)


@pytest.mark.parametrize("number", [0, 42, 2**63 - 1])
def test_seeds_are_read(number: int) -> None:
    assert settings.parse_seed(str(number)) == number


@pytest.mark.parametrize("number", [-1, 2**63])
def test_other_seeds_are_refused(number: int) -> None:
    with pytest.raises(SettingError, match="seed is a whole number from 0 to"):
        settings.parse_seed(str(number))


# ---- learning rates -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rate"), [("0.001", 0.001), ("1e-3", 0.001), ("1000", 1000.0), ("1e-300", 1e-300)]
)
def test_learning_rates_are_read(text: str, rate: float) -> None:
    assert settings.parse_learning_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "-0.1", "1000.1", "nan", "inf", "-inf", "fast", "1e999"])
def test_other_learning_rates_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="learning rate is a number above 0 and up to 1000"):
        settings.parse_learning_rate(text)


# ---- sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("1B", 1),
        ("24MiB", 24 * 2**20),
        ("24 mib", 24 * 2**20),
        ("24M", 24 * 2**20),
        ("1.5GiB", 3 * 2**29),
        ("100MB", 100_000_000),
        ("2kb", 2000),
        ("3KiB", 3072),
        ("1TiB", 2**40),
        (" 0.5k ", 512),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert settings.parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "-1", "MiB", "1.MiB", ".5MiB", "1e9", "12 parsecs", "1MiB 2", "nan", "1,5GiB", "9" * 400],
)
def test_other_sizes_are_refused_with_the_form(text: str) -> None:
    with pytest.raises(SettingError, match=r"a size is like 24MiB, 1.5GiB or 4096 \(bytes\), not"):
        settings.parse_size(text)


@pytest.mark.parametrize("text", ["0", "0.1", "0GiB", "99999999TiB", str(2**63)])
def test_sizes_out_of_range_are_refused_with_the_range(text: str) -> None:
    with pytest.raises(SettingError, match=r"a size is from 1 to 9,223,372,036,854,775,807 bytes"):
        settings.parse_size(text)


@given(st.integers(1, settings.MAX_BYTES))
def test_sizes_are_exact_to_the_byte(size: int) -> None:
    assert settings.parse_size(str(size)) == size


def test_a_fraction_of_a_unit_is_exact() -> None:
    assert settings.parse_size("8191.000000000931322574615478515625TiB") == 8191 * 2**40 + 1024


@given(st.integers(1, 2**20), st.sampled_from(["KiB", "MiB", "GiB", "TiB"]))
def test_binary_units_are_powers_of_1024(number: int, unit: str) -> None:
    power = 1 + ["KiB", "MiB", "GiB", "TiB"].index(unit)
    assert settings.parse_size(f"{number}{unit}") == number * 1024**power


# ---- devices ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["auto", "cpu", "mps", "cuda", "cuda:0", "cuda:7", "cuda:15"])
def test_devices_are_read(text: str) -> None:
    assert settings.parse_device(text) == text


@pytest.mark.parametrize(
    "text", ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:x", "cpu:0", "cuda:01", "cuda:1000"]
)
def test_other_devices_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="device is auto, cpu, mps, cuda or cuda:N"):
        settings.parse_device(text)


# ---- whatever is typed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parse",
    [
        lambda text: settings.parse_batch_size(text, images=100),
        lambda text: settings.parse_batch_sizes(text, images=100),
        settings.parse_hidden,
        settings.parse_seed,
        settings.parse_learning_rate,
        settings.parse_size,
        settings.parse_device,
    ],
    ids=["batch size", "batch sizes", "hidden", "seed", "learning rate", "size", "device"],
)
@given(text=st.text() | st.from_regex(r"[0-9]{1,40}[.e]?[0-9]{0,40} ?[kKmM]?i?[bB]?"))
def test_any_text_is_a_value_or_one_line_of_complaint(
    parse: Callable[[str], object], text: str
) -> None:
    complaint = ""
    try:
        parse(text)
    except SettingError as error:
        complaint = str(error)
    assert len(complaint.splitlines()) <= 1


def test_the_limits_are_known_without_torch(modules_after: Callable[[str], set[str]]) -> None:
    assert "torch" not in modules_after("from vramtop.protocol.lesson import settings")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("1,000", 1000),
        ("1e8", 10**8),
        ("1.1e8", 110_000_000),
        ("1E+3", 1000),
        ("7B", 7 * 10**9),
        ("0.5b", 500_000_000),
        ("1.5M", 1_500_000),
        ("20k", 20_000),
        ("1T", 10**12),
        ("1e15", 10**15),
    ],
)
def test_numbers_of_parameters_are_read(text: str, number: int) -> None:
    assert settings.parse_parameters(text) == number


@pytest.mark.parametrize("text", ["", "0", "1e16", "1.0005k", "7GB", "B", "1e8.5", "-7B", "1e-3"])
def test_other_numbers_of_parameters_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="lora is a whole number from 1 to 1,000,000"):
        settings.parse_parameters(text, what="lora")


@pytest.mark.parametrize(
    ("text", "share"), [("2%", 0.02), ("0.5 %", 0.005), ("0%", 0), ("300%", 3)]
)
def test_shares_are_read(text: str, share: float) -> None:
    assert settings.parse_share(text) == share
