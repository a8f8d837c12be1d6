"""The grammar of the command line: its options, in groups, and what `--help` says of them.

Nothing has a default here: what is not given must not hide what was given before a command. What
the help says of a default stands in brackets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn, TypeAlias, TypeVar

from ..trainer import settings as limits
from ..trainer.settings import DATASETS, OPTIMIZERS, SettingError
from .exits import BAD_USAGE
from .output import complain, write
from .plan import IMAGES, SCALES

MAX_STEPS = 10**9
MAX_IMAGES = 10**12
MAX_REPEATS = 1000
SWEEP_SIZES = "64,256,1024,4096"
_SIZES = f"images a step ({SWEEP_SIZES})"
SHELLS = ("bash", "zsh", "fish")

# No line is longer than a terminal of 80 columns.
_EXAMPLES = """\
examples:
  vramtop                                    watch handwritten digits be learned
  vramtop --tour                             be shown around in seven steps
  vramtop --batch-size 512 --vram 24MiB      another batch, within a budget
  vramtop --dataset cifar10 --optimizer sgd  other data, another optimizer
  vramtop --no-train                         only look at the GPUs
  vramtop --headless --steps 500             no screen, a table at the end
  vramtop estimate --batch-size 64,4096      foretell, allocate nothing
  vramtop fit --vram 24MiB                   find the largest batch that fits
  vramtop sweep --batch-size 64,256,1024     compare batch sizes
  eval "$(vramtop --print-completion bash)"  complete all this with the tab key

sizes are like 24MiB, 1.5GiB or 4096 (bytes)
exit codes: 0 fine, 1 failed, 2 bad usage, 130 interrupted
"""

_Value = TypeVar("_Value")


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and leave with the exit code of bad usage."""
        complain(message)
        self.exit(BAD_USAGE)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Leave, once all is written."""
        write("")  # out with what --help has printed, where it fits
        super().exit(status, message)


class _Version(argparse.Action):
    """Says the version, which takes a while to find, only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"vramtop {version('vramtop-lab')}")  # noqa: T201
        parser.exit()


class _Completion(argparse.Action):
    """Prints what a shell needs to complete this command line."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        del namespace, option_string
        from .completion import script

        print(script(parser, str(values)))  # noqa: T201
        parser.exit()


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """That of the whole command line, and those of what follows each command."""
    parser = Parser(
        prog="vramtop",
        usage="vramtop [options]\n       vramtop estimate|fit|sweep [options]",
        add_help=False,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Where a training run's GPU memory goes, live in a terminal.",
        epilog=_EXAMPLES,
    )
    _ways(parser)
    _common(parser, "--batch-size", dest="one_batch_size", metavar="N", help="images a step (64)")
    about = _about(parser)
    about.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    about.add_argument(
        "--print-completion",
        action=_Completion,
        choices=SHELLS,
        metavar="SHELL",
        help="print the completion for bash, zsh or fish and exit",
    )
    commands = parser.add_subparsers(
        title="commands", metavar="command", prog="vramtop", parser_class=Parser
    )
    return parser, {
        "estimate": _estimate(commands),
        "fit": _fit(commands),
        "sweep": _sweep(commands),
    }


def _ways(parser: Parser) -> None:
    """With a screen or without one."""
    screen = parser.add_argument_group("screen")
    screen.add_argument("--tour", action="store_true", help="begin with a guided tour")
    screen.add_argument(
        "--no-train", action="store_true", help="the GPUs and their processes alone, no training"
    )
    without = parser.add_argument_group("without a screen")
    without.add_argument("--headless", action="store_true", help="train without a screen")
    without.add_argument(
        "--steps",
        dest="headless_steps",
        metavar="N",
        type=_checked(_steps),
        help="end after so many steps",
    )
    without.add_argument(
        "--format", dest="headless_format", metavar="FORM", help="table or jsonl (table)"
    )


_Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def _estimate(commands: _Commands) -> Parser:
    told = "foretell what each batch size holds, allocating nothing"
    estimate = _command(commands, "estimate", told)
    group = estimate.add_argument_group("estimate")
    group.add_argument(
        "--parameters",
        metavar="N",
        type=_checked(limits.parse_parameters),
        help="by the formula alone, for any model of so many, as 1e8",
    )
    _format(group)
    _common(estimate, "--batch-size", dest="batch_sizes", metavar="N,N,…", help=_SIZES)
    _about(estimate)
    return estimate


def _fit(commands: _Commands) -> Parser:
    told = "find the largest batch size that fits, proved by real steps"
    fit = _command(commands, "fit", told)
    _format(fit.add_argument_group("fit"))
    _common(fit)
    _about(fit)
    return fit


def _sweep(commands: _Commands) -> Parser:
    sweep = _command(commands, "sweep", "run each batch size from the same start and measure it")
    group = sweep.add_argument_group("sweep")
    group.add_argument(
        "--images",
        metavar="N",
        type=_checked(_images),
        help=f"train each size on so many ({IMAGES:,}, or what three full batches take)",
    )
    group.add_argument(
        "--steps",
        dest="sweep_steps",
        metavar="N",
        type=_checked(_steps),
        help="or for so many steps, at least as many as show a settled and a plain one",
    )
    group.add_argument(
        "--lr-scale",
        dest="scale",
        choices=SCALES,
        metavar="RULE",
        help="the learning rate by size: none, linear or sqrt, from the smallest one on (none)",
    )
    group.add_argument(
        "--repeat",
        dest="repeats",
        metavar="N",
        type=_checked(_repeats),
        help="measure so often, each time with the next seed; medians are shown (1)",
    )
    group.add_argument(
        "--plot", metavar="FILE", help="draw memory and learning into a .svg or .png too"
    )
    _format(group)
    _common(sweep, "--batch-size", dest="batch_sizes", metavar="N,N,…", help=_SIZES)
    _about(sweep)
    return sweep


def _command(commands: _Commands, name: str, told: str) -> Parser:
    command = commands.add_parser(
        name,
        usage=f"vramtop {name} [options]",
        add_help=False,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        help=told,
        description=f"{told[0].upper()}{told[1:]}.",
    )
    command.set_defaults(command=name)
    return command


def _format(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--format", dest="command_format", metavar="FORM", help="table, json or csv (table)"
    )


def _common(parser: Parser, *batch: str, **of_batch: str) -> None:
    """The options that count wherever they stand, and that of the batch, which has its place."""
    training = parser.add_argument_group("training")
    if batch:
        training.add_argument(*batch, **of_batch)  # type: ignore[arg-type]
    training.add_argument(
        "--accumulate",
        dest="accumulation",
        metavar="N",
        type=_checked(limits.parse_accumulation),
        help="batches whose gradients add up before an update (1)",
    )
    training.add_argument(
        "--dataset", choices=DATASETS, metavar="NAME", help="mnist or cifar10 (mnist)"
    )
    training.add_argument(
        "--optimizer",
        choices=OPTIMIZERS,
        metavar="NAME",
        help="sgd, momentum, adam or adamw (adam)",
    )
    training.add_argument(
        "--lr",
        dest="learning_rate",
        metavar="X",
        type=_checked(limits.parse_learning_rate),
        help="learning rate (0.001 for adam and adamw, else 0.01)",
    )
    training.add_argument(
        "--hidden", metavar="N", type=_checked(limits.parse_hidden), help="hidden width (128)"
    )
    training.add_argument(
        "--seed", metavar="N", type=_checked(limits.parse_seed), help="of all that is random (42)"
    )
    device = parser.add_argument_group("device")
    device.add_argument(
        "--device",
        metavar="NAME",
        type=_checked(limits.parse_device),
        help="auto, cpu, mps, cuda or cuda:N (auto)",
    )
    device.add_argument(
        "--vram",
        dest="budget",
        metavar="SIZE",
        type=_checked(limits.parse_size),
        help="budget of device memory; more is out of memory",
    )
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data-dir",
        metavar="PATH",
        help="where the dataset lies in torchvision's layout; without it, the sample that ships",
    )
    data.add_argument(
        "--download",
        action="store_true",
        help="fetch the dataset into --data-dir, or into the user's cache, where it is not there",
    )


def _about(parser: Parser) -> argparse._ArgumentGroup:
    about = parser.add_argument_group("about")
    about.add_argument("-h", "--help", action="help", help="show this help and exit")
    return about


def _checked(parse: Callable[[str], _Value]) -> Callable[[str], _Value]:
    """The same parser of a value, its complaint in a form that argparse passes on."""

    def checked(text: str) -> _Value:
        try:
            return parse(text)
        except SettingError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def _steps(text: str) -> int:
    return limits.parse_whole(text, what="steps", low=1, high=MAX_STEPS)


def _images(text: str) -> int:
    return limits.parse_whole(text, what="images", low=1, high=MAX_IMAGES)


def _repeats(text: str) -> int:
    return limits.parse_whole(text, what="repeat", low=1, high=MAX_REPEATS)
