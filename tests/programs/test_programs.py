"""Programs as people write them: their split is what they count themselves, to the byte."""

from __future__ import annotations

import pytest
from observed import assert_as_counted
from sizes import CLASSES, FLOAT, HIDDEN, INPUTS, KEPT_BY_MLP
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import OutOfMemory
from vramtop.protocol.observed.report import Split

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
    "rare.critic_steps_more_often",
    "rare.teacher",
    "rare.rollouts",
    "rare.tensors_only",
    "rare.parts_called_apart",
    "rare.half_with_master_weights",
    "rare.recurrent",
    "rare.generation",
    "rare.validation_in_each_step",
    "rare.optimizer_replaced",
    "rare.two_in_threads",
)
ON_GPUS = (
    "models.on_two_gpus",
    "rare.prefetched_on_a_stream",
    "rare.cache_emptied",
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


def test_copies_of_a_model_on_the_second_gpu_are_temporary_there(observe) -> None:
    second = observe("models.on_two_gpus", "cuda:0").latest("cuda:1")["training"]
    there = report(second, 1)
    assert there.unattributed == 0
    inputs, hidden = INPUTS // 2, KEPT_BY_MLP // 2
    weight_of_last = FLOAT * HIDDEN * CLASSES
    assert there.boundaries["load"].total == 0
    assert there.boundaries["forward"] == Split(activations=inputs + hidden + weight_of_last)
    assert there.boundaries["optimizer"].total == 0


def test_a_request_that_is_denied_finds_the_program_as_it_counts_itself(observe) -> None:
    observed = observe("failures.out_of_memory", "cuda:0")
    (denied,) = [each for each in observed.messages if isinstance(each, OutOfMemory)]
    assert denied.wanted == 64 << 30
    counted = observed.counted["training"]["optimizer"]
    for category in ("parameters", "gradients", "optimizer_state"):
        assert getattr(denied, category) == counted[category]
