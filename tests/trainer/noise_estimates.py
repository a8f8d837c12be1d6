"""Gradients of single images, to compare estimates with; and a smoothing of given estimates."""

import torch
from torch.func import functional_call, grad, vmap
from vramtop.trainer.training.noise import Estimate, Smoothed


def smoothed(*estimates):
    """The smoothing after estimates of these variances and signals."""
    means = Smoothed()
    for one in estimates:
        means.add(Estimate(*one))
    return means


def per_sample(training, batch):
    """The gradient of each image's own loss, float64 (images, parameters)."""
    parameters = {name: p.detach() for name, p in training.model.named_parameters()}

    def loss(parameters, image, target):
        output = functional_call(training.model, parameters, (image[None],))
        return training.criterion(output, target[None])

    gradients = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, batch.inputs, batch.targets)
    return torch.cat([part.flatten(1) for part in gradients.values()], dim=1).double()
