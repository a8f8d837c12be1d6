"""Modules that backward runs again are known, on a GPU too, where it has a thread of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predicted import CHECKPOINTED, watched

if TYPE_CHECKING:
    from simulation import Environment, SimulatedGpu


def recomputed(
    simgpu: SimulatedGpu, machine: Environment, training: str, change: str
) -> tuple[set[str], set[str]]:
    """The modules that hold anything: those that are called again in backward, and the others."""
    layers = watched(simgpu, machine, training, change).layers
    again = {layer.name for layer in layers if layer.recomputed}
    return again, {layer.name for layer in layers} - again


def test_of_checkpointed_blocks_all_modules_within_are_marked(
    simgpu: SimulatedGpu, machine: Environment
) -> None:
    again, once = recomputed(simgpu, machine, "GPT", CHECKPOINTED + "h.*, 4 × Block")
    assert {f"h.{at}.{part}" for at in range(4) for part in ("together", "mlp.0")} <= again
    assert all(name.startswith("h.") for name in again)
    assert {"words", "last"} <= once


def test_of_one_checkpointed_part_only_that_is_marked(
    simgpu: SimulatedGpu, machine: Environment
) -> None:
    again, once = recomputed(simgpu, machine, "GPT", CHECKPOINTED + "h.2.mlp")
    assert again
    assert all(name.startswith("h.2.mlp") for name in again)
    assert "h.1.mlp.0" in once


def test_without_checkpointing_nothing_is_marked(
    simgpu: SimulatedGpu, machine: Environment
) -> None:
    again, once = recomputed(simgpu, machine, "GPT", "")
    assert not again
    assert once
