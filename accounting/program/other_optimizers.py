"""What if the optimizer kept less state, or took one parameter after the other?

State is exact: none at all, or one tensor of a parameter's size for each parameter that has any.
SGD makes no temporaries for dense gradients, but for a few numbers. So the step would hold the new
peak at most, and exactly that where it is not in the optimizer's step.

With `foreach=False` temporaries are made for one parameter at a time. How many, PyTorch's code
says; each is as large as the largest parameter at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from vramtop.protocol.observed.report import Bound

from .blocks import Block
from .changed import Change, Idea, Recorded, all_its_life, always, bytes_of
from .phases import Stretch

# The most temporaries of a parameter's size that the loop has at once, with any options of the
# optimizer; some are left of the parameter before. Counted with PyTorch 2.14.
TEMPORARIES_AT_ONCE: Mapping[str, int] = MappingProxyType(
    {
        "ASGD": 2,
        "Adadelta": 4,
        "Adagrad": 3,
        "Adam": 4,
        "AdamW": 4,
        "Adamax": 3,
        "NAdam": 4,
        "RAdam": 5,
        "RMSprop": 3,
        "Rprop": 4,
        "SGD": 2,
    }
)
_SCALARS = 64  # bytes of single numbers beside them


def optimizers_with_less_state(recorded: Recorded) -> Iterator[Idea]:
    """Without state, and with one tensor for each parameter, where the program has more."""
    parameters, state = recorded.names("parameters"), recorded.names("optimizer_state")
    gradients = recorded.names("gradients")
    if not {*state, *gradients} <= parameters.keys() or any(
        gradient.shape != parameters[path].shape for path, gradient in gradients.items()
    ):
        return  # SGD makes temporaries of sparse gradients
    blocks = recorded.of("optimizer_state")
    held = sum(block.size for block in blocks if block.alive_at(recorded.step.cut))
    one = sum(bytes_of(parameters[path]) for path in state)
    without = [all_its_life(block, -block.size) for block in blocks]
    without += _temporaries_of_steps(recorded, _SCALARS)
    for what, options, left in (
        ("an optimizer without state", "", 0),
        ("an optimizer with one state tensor a parameter", ", momentum=0.9", one),
    ):
        if held > left:
            code, changes = f"torch.optim.SGD(parameters, lr{options})", [*without, always(left)]
            yield Idea(what, code, _bound(recorded, changes), changes)


def _bound(recorded: Recorded, changes: Sequence[Change]) -> Bound:
    """Exact if the new peak is also reached outside the optimizer's step."""
    totals, cut = recorded.with_(changes), recorded.step.cut
    peak = max(totals)
    for stretch in recorded.in_optimizer():
        within = slice(stretch.begin + 1 - cut, stretch.end + 1 - cut)
        totals[within] = [0] * len(totals[within])
    return "exact" if max(totals) == peak else "at_most"


def loop_of_optimizer(recorded: Recorded) -> Iterator[Idea]:
    """A step of the only optimizer, which makes no more temporaries than for one parameter."""
    name = recorded.step.optimizer
    trained = [each for each in recorded.names("parameters").values() if each.trained]
    if name not in TEMPORARIES_AT_ONCE or not trained or len(recorded.optimizer_steps()) != 1:
        return
    in_loop = TEMPORARIES_AT_ONCE[name] * max(map(bytes_of, trained)) + _SCALARS
    yield Idea(
        "the optimizer takes one parameter after another",
        f"torch.optim.{name}(parameters, foreach=False)",
        "at_most",
        _temporaries_of_steps(recorded, in_loop),
    )


def _temporaries_of_steps(recorded: Recorded, size: int) -> list[Change]:
    """In optimizers' steps, this many bytes in place of the recorded temporaries."""
    changes = []
    for stretch in recorded.in_optimizer():
        changes.append(Change(stretch.begin + 1, stretch.end, size))
        changes += [
            all_its_life(block, -block.size)
            for number in range(stretch.begin, stretch.end)
            if _is_temporary(recorded, block := recorded.blocks.of_event[number], number, stretch)
        ]
    return changes


def _is_temporary(recorded: Recorded, block: Block, number: int, stretch: Stretch) -> bool:
    """Whether this event makes a temporary that is gone when the stretch ends."""
    return (
        block.birth == number
        and block.release is not None
        and block.release < stretch.end
        and recorded.belongings[block] == "temporaries"
    )
