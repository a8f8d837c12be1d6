"""Programs as people write them: their split is what they count themselves, to the byte."""

from __future__ import annotations

import pytest
from forked import assert_as_counted

PROGRAMS = (
    "loops.plain",
    "loops.in_a_thread",
    "loops.accumulation",
    "loops.gradients_stay",
    "loops.gradients_go_after_step",
    "loops.by_hand",
    "loops.evaluation_between_epochs",
    "loops.inference_only",
    "loops.losses_kept",
    "loops.outputs_kept",
    "loops.lengths_vary",
    "loops.penalty",
    "optimizers.for_each",
    "optimizers.fused",
    "optimizers.capturable",
    "optimizers.momentum",
    "optimizers.gan",
    "optimizers.lbfgs",
    "optimizers.in_backward",
    "optimizers.scaled",
    "optimizers.averaged",
    "optimizers.averaged_by_hand",
    "models.checkpointed",
    "models.checkpointed_reentrant",
    "models.frozen",
    "models.lora",
    "models.tied",
    "models.batch_norm",
    "models.convolution",
    "models.attention",
    "models.compiled_eager",
    "models.compiled_aot",
    "data.with_workers",
    "data.fetched_ahead",
    "data.scaled_pixels",
    "data.one_batch_for_all",
    "data.whole_set_on_device",
    "data.keyword_inputs",
    "failures.exception_kept",
    "failures.backward_fails",
)
ON_GPUS = (
    "models.on_two_gpus",
    "failures.out_of_memory",
    "failures.out_of_memory_in_a_step",
)
# The simulated GPU cannot sort, nor compile kernels.
ON_THE_CPU = ("optimizers.sparse", "models.gradients_without_operators")


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_is_split_as_it_counts_itself(observe, program: str, device: str) -> None:
    assert_as_counted(observe(program, device), device)


def test_a_training_on_the_cpu_is_observed_where_cuda_has_been_started(observe) -> None:
    observed = observe("loops.on_the_cpu_beside_gpus", "cuda:0")
    assert {step.device for step in observed.steps} == {"cpu"}
    assert_as_counted(observed, "cpu")


@pytest.mark.parametrize("program", ON_GPUS)
def test_a_program_of_gpus_is_split_as_it_counts_itself(observe, program: str) -> None:
    assert_as_counted(observe(program, "cuda:0"), "cuda:0")


@pytest.mark.parametrize("program", ON_THE_CPU)
def test_a_program_of_the_cpu_is_split_as_it_counts_itself(observe, program: str) -> None:
    assert_as_counted(observe(program, "cpu"), "cpu")
