"""The parsers of the command line and of each command, with the help for every option.

No option has a default here, since a command's default would replace a value that was given before
the command. The help names defaults in brackets.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import NoReturn, TypeAlias

from vramtop.accounting.textbook import DTYPES, MIXED
from vramtop.protocol.lesson.settings import parse_parameters, parse_share, parse_whole
from vramtop.tui.terminal.exits import BAD_USAGE
from vramtop.tui.terminal.output import complain, write
from vramtop.tui.worker.sweep_plan import IMAGES, SCALES

from .common_options import about, checked, common, value

SWEEP_SIZES = "64,256,1024,4096"
_SHELLS = ("bash", "zsh", "fish")

_steps = partial(parse_whole, what="steps", low=1, high=10**9)
_images = partial(parse_whole, what="images", low=1, high=10**12)
_pid = partial(parse_whole, what="pid", low=1, high=2**22)
_shards = partial(parse_whole, what="shards", low=2, high=2**20)
_stage = partial(parse_whole, what="zero", low=1, high=3)
_repeats = partial(parse_whole, what="repeat", low=1, high=1000)

# No line is longer than a terminal of 80 columns.
_EXAMPLES = """\
examples:
  vramtop                                    watch handwritten digits be learned
  vramtop --tour                             be shown around in seven steps
  vramtop --batch-size 512 --vram 24MiB      another batch, within a budget
  vramtop --dataset cifar10 --optimizer sgd  other data, another optimizer
  vramtop gpus                               look at the GPUs, train nothing
  vramtop run python train.py                watch any PyTorch program
  vramtop attach 4711                        watch one that runs already
  vramtop diff old.json new.json             compare two results of them
  vramtop --headless --steps 500             no screen, a table at the end
  vramtop estimate --batch-size 64,4096      predict, allocate nothing
  vramtop fit --vram 24MiB                   find the largest batch that fits
  vramtop sweep --batch-size 64,256,1024     compare batch sizes
  eval "$(vramtop --print-completion bash)"  complete all this with the tab key

sizes are like 24MiB, 1.5GiB or 4096 (bytes)
exit codes: 0 fine, 1 failed, 2 bad usage, 130 interrupted
"""


_USAGE = """\
vramtop [options]
       vramtop estimate|fit|sweep|gpus [options]
       vramtop run [options] [--] COMMAND...
       vramtop attach [PID] [options]
       vramtop diff BEFORE AFTER [options]"""


class Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        """Report the error, and leave with the exit code of bad usage."""
        complain(message)
        self.exit(BAD_USAGE)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Leave with this exit code."""
        write("")  # flushes what --help has printed, or reports that it cannot
        super().exit(status, message)


class _Version(argparse.Action):
    """Prints the version. It is looked up only here, since that is slow."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"vramtop {version('vramtop-lab')}")  # noqa: T201
        parser.exit()


class _Completion(argparse.Action):
    """Prints the completion script for a shell."""

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
    """The parser of the whole command line, and that of each command by its name."""
    parser = Parser(
        prog="vramtop",
        usage=_USAGE,
        add_help=False,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Where a training run's GPU memory goes, live in a terminal.",
        epilog=_EXAMPLES,
    )
    _ways(parser)
    training = parser.add_argument_group("training")
    training.add_argument(
        "--batch-size", dest="one_batch_size", metavar="N", help="images a step (64)"
    )
    common(parser, training)
    itself = about(parser)
    itself.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    itself.add_argument(
        "--print-completion",
        action=_Completion,
        choices=_SHELLS,
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
        "gpus": _gpus(commands),
        "run": _run(commands),
        "attach": _attach(commands),
        "diff": _diff(commands),
    }


def _ways(parser: Parser) -> None:
    """Add the options that choose between a screen and none."""
    screen = parser.add_argument_group("screen")
    screen.add_argument("--tour", action="store_true", help="begin with a guided tour")
    without = parser.add_argument_group("without a screen")
    without.add_argument("--headless", action="store_true", help="train without a screen")
    value(without, "--steps", "N", _steps, "end after so many steps", dest="headless_steps")
    without.add_argument(
        "--format", dest="headless_format", metavar="FORM", help="table or jsonl (table)"
    )


_Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def _estimate(commands: _Commands) -> Parser:
    text = "predict what each batch size holds, allocating nothing"
    estimate = _command(commands, "estimate", text)
    group = estimate.add_argument_group("estimate")
    text = "by the formula alone, for any model of so many, as 7B or 1e8"
    value(group, "--parameters", "N", parse_parameters, text)
    text = "of the parameters: float32, bfloat16 or float16 (float32)"
    group.add_argument("--dtype", choices=DTYPES, metavar="NAME", help=text)
    text = "mixed precision: autocast, or master for 16 bits with float32 master weights"
    group.add_argument("--mixed", choices=MIXED, metavar="WAY", help=text)
    text = "train so many parameters of adapters alone, as 20M"
    value(group, "--lora", "N", partial(parse_parameters, what="lora"), text)
    value(group, "--shards", "N", _shards, "share it out over so many devices")
    text = "what is shared out, by the stage of ZeRO: 3 as FSDP does, 2 or 1 (3)"
    value(group, "--zero", "STAGE", _stage, text)
    _format(group)
    _of_sizes(estimate)
    return estimate


def _fit(commands: _Commands) -> Parser:
    text = "find the largest batch size that fits, proved by real steps"
    fit = _command(commands, "fit", text)
    _format(fit.add_argument_group("fit"))
    common(fit, fit.add_argument_group("training"))
    about(fit)
    return fit


def _sweep(commands: _Commands) -> Parser:
    sweep = _command(commands, "sweep", "run each batch size from the same start and measure it")
    group = sweep.add_argument_group("sweep")
    text = f"train each size on so many ({IMAGES:,}, or what three full batches take)"
    value(group, "--images", "N", _images, text)
    text = "or for so many steps, at least as many as show a settled and a plain one"
    value(group, "--steps", "N", _steps, text, dest="sweep_steps")
    group.add_argument(
        "--lr-scale",
        dest="scale",
        choices=SCALES,
        metavar="RULE",
        help="the learning rate by size: none, linear or sqrt, from the smallest one on (none)",
    )
    text = "measure so often, each time with the next seed; medians are shown (1)"
    value(group, "--repeat", "N", _repeats, text, dest="repeats")
    group.add_argument(
        "--plot", metavar="FILE", help="draw memory and learning into a .svg or .png too"
    )
    _format(group)
    _of_sizes(sweep)
    return sweep


def _gpus(commands: _Commands) -> Parser:
    gpus = _command(commands, "gpus", "show the GPUs and their processes; nothing is trained")
    group = gpus.add_argument_group("gpus")
    group.add_argument("--once", action="store_true", help="print them once, without a screen")
    text = "table or json (table); json prints them once too"
    group.add_argument("--format", dest="gpus_format", metavar="FORM", help=text)
    about(gpus)
    return gpus


def _run(commands: _Commands) -> Parser:
    text = "run a command and watch all of it that works with PyTorch"
    run = _command(commands, "run", text, "[options] [--] COMMAND...")
    group = run.add_argument_group("run")
    text = "as it is typed without vramtop"
    group.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help=text)
    _of_programs(group)
    about(run)
    return run


def _attach(commands: _Commands) -> Parser:
    text = "watch a PyTorch program that runs already; without a pid, list them"
    attach = _command(commands, "attach", text, "[PID] [options]")
    group = attach.add_argument_group("attach")
    # argparse would check the default of a position, which is none here.
    group.add_argument(
        "pid", nargs="?", default=None, metavar="PID", type=checked(_pid), help="its process"
    )
    value(group, "--steps", "N", _steps, "leave after so many watched", dest="program_steps")
    _of_programs(group)
    about(attach)
    return attach


def _diff(commands: _Commands) -> Parser:
    text = "compare two results of run or attach: categories, layers, shapes"
    diff = _command(commands, "diff", text, "BEFORE AFTER [options]")
    group = diff.add_argument_group("diff")
    for name in ("before", "after"):
        text = "a file that --output wrote, as json or jsonl"
        group.add_argument(name, metavar=name.upper(), help=text)
    text = "exit code 1 where a peak grew by more than so much, as 2%%"
    value(group, "--fail-above", "SHARE", parse_share, text)
    text = "table or json (table)"
    group.add_argument("--format", dest="diff_format", metavar="FORM", help=text)
    about(diff)
    return diff


def _of_programs(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--headless", action="store_true", help="no screen, a table at the end")
    group.add_argument("--output", metavar="FILE", help="write the results into a file")
    text = "table, json or jsonl (json into a file, else table)"
    group.add_argument("--format", dest="program_format", metavar="FORM", help=text)


def _command(commands: _Commands, name: str, text: str, usage: str = "[options]") -> Parser:
    command = commands.add_parser(
        name,
        usage=f"vramtop {name} {usage}",
        add_help=False,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
    )
    command.set_defaults(command=name)
    return command


def _format(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--format", dest="command_format", metavar="FORM", help="table, json or csv (table)"
    )


def _of_sizes(command: Parser) -> None:
    """Add the options that follow a command's own, where it takes several batch sizes."""
    training = command.add_argument_group("training")
    training.add_argument(
        "--batch-size",
        dest="batch_sizes",
        metavar="N,N,…",
        help=f"images a step ({SWEEP_SIZES})",
    )
    common(command, training)
    about(command)
