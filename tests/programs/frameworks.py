"""Training loops of frameworks, which are not ours to write out."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import torch
from parts import cross_entropy, mlp
from running import Run
from sizes import ACTIVATIONS, BATCH, IMAGES, LOSS, PIXELS
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

MOST_STEPS = 1_000_000


def _images(count: int) -> TensorDataset:
    return TensorDataset(torch.randn(count, PIXELS), torch.zeros(count, dtype=torch.int64))


def accelerated(run: Run) -> None:
    """Hugging Face's accelerate, with gradients accumulated over two batches."""
    from accelerate import Accelerator

    accelerator = Accelerator(
        gradient_accumulation_steps=2, cpu=run.device.type == "cpu", mixed_precision="no"
    )
    model = mlp(torch.device("cpu"))
    optimizer = torch.optim.AdamW(model.parameters())
    loader = DataLoader(_images(64 * IMAGES), batch_size=IMAGES)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    run.owns(model, optimizer.optimizer)
    # The loader is a batch ahead; a GPU gets a batch only when it is its turn.
    loaded = 2 * BATCH if run.device.type == "cpu" else BATCH
    goes_on = True
    while goes_on:
        for inputs, targets in loader:
            if not (goes_on := run.goes_on()):
                break
            with accelerator.accumulate(model):
                if accelerator.sync_gradients:
                    run.at("load")
                loss = cross_entropy(model(inputs), targets)
                if accelerator.sync_gradients:
                    # It divides the loss by the number of batches.
                    run.at("forward", batch_data=loaded, activations=ACTIVATIONS + LOSS)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    run.at("backward", activations=LOSS)
                optimizer.step()
                if accelerator.sync_gradients:
                    run.at("optimizer")
                optimizer.zero_grad()


def lightning_fit(run: Run) -> None:
    """Lightning runs forward and backward within the optimizer's step."""
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layers = mlp(torch.device("cpu"))

        def forward(self, inputs: Tensor) -> Tensor:
            return self.layers(inputs)

        def training_step(self, example: list[Tensor], _: int) -> Tensor:
            run.at("load", batch_data=BATCH)
            return cross_entropy(self(example[0]), example[1])

        def on_before_backward(self, _: Tensor) -> None:
            # Lightning keeps a copy of the loss.
            run.at("forward", batch_data=BATCH, activations=ACTIVATIONS + LOSS)

        def on_after_backward(self) -> None:
            run.at("backward", batch_data=BATCH)

        def on_train_batch_end(self, *_: object) -> None:
            run.at("optimizer", batch_data=BATCH)
            if not run.goes_on():
                self.trainer.should_stop = True

        def configure_optimizers(self) -> torch.optim.Optimizer:
            optimizer = torch.optim.AdamW(self.parameters())
            run.owns(self, optimizer)
            return optimizer

    trainer = lightning.Trainer(
        accelerator="gpu" if run.device.type == "cuda" else "cpu",
        devices=1,
        max_epochs=-1,
        max_steps=MOST_STEPS,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), DataLoader(_images(64 * IMAGES), batch_size=IMAGES))


def transformers_trainer(run: Run) -> None:
    """Transformers' Trainer and a GPT-2, with accumulation; head and embedding share a weight."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "0"  # it would use all
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    config = GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=64, n_positions=32)
    model = GPT2LMHeadModel(config)
    words = [{"input_ids": [1] * 16, "labels": [1] * 16} for _ in range(256)]

    class Counting(TrainerCallback):
        def on_optimizer_step(self, *_: object, **__: Any) -> None:
            run.at("optimizer")

        def on_pre_optimizer_step(self, *_: object, **__: Any) -> None:
            run.at("backward")

        def on_step_begin(self, *_: object, **kwargs: Any) -> None:
            if not run.optimizers:
                run.owns(kwargs["model"], kwargs["optimizer"])

        def on_step_end(self, _: object, __: object, control: Any, **___: Any) -> None:
            control.should_training_stop = not run.goes_on()

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=4,
            gradient_accumulation_steps=2,
            max_steps=MOST_STEPS,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            use_cpu=run.device.type == "cpu",
        )
        Trainer(model, arguments, train_dataset=words, callbacks=[Counting()]).train()


def jupyter(run: Run) -> None:
    """Cells of a notebook, executed by ipykernel's own shell."""
    from ipykernel.inprocess.manager import InProcessKernelManager

    manager = InProcessKernelManager()
    manager.start_kernel()
    shell = manager.kernel.shell
    shell.push({"run": run, "nn": nn, "torch": torch})
    cells = (
        "from parts import *; from sizes import *",
        "model = mlp(run.device); optimizer = torch.optim.AdamW(model.parameters())\n"
        "run.owns(model, optimizer)",
        "for _ in run.steps():\n"
        "    inputs, targets = batch(run.device)\n"
        "    optimizer.zero_grad()\n"
        "    run.at('load', batch_data=BATCH)\n"
        "    loss = cross_entropy(model(inputs), targets)\n"
        "    run.at('forward', batch_data=BATCH, activations=ACTIVATIONS)\n"
        "    loss.backward()\n"
        "    run.at('backward', activations=LOSS)\n"
        "    optimizer.step()\n"
        "    run.at('optimizer')\n",
    )
    for cell in cells:
        manager.kernel.shell.run_cell(cell).raise_error()
