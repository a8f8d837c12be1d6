"""The dimensions of the programs' network and batches, and the bytes that follow from them."""

from __future__ import annotations

FLOAT, LONG = 4, 8
IMAGES, PIXELS, HIDDEN, CLASSES = 16, 32, 64, 8

PARAMETERS = FLOAT * (PIXELS * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES)
INPUTS = FLOAT * IMAGES * PIXELS
TARGETS = LONG * IMAGES
BATCH = INPUTS + TARGETS
# ReLU's result.
KEPT_BY_MLP = FLOAT * IMAGES * HIDDEN
# The logarithms of the probabilities, and the sum of the classes' weights.
KEPT_BY_LOSS = FLOAT * IMAGES * CLASSES + FLOAT
LOSS = FLOAT
ACTIVATIONS = KEPT_BY_MLP + KEPT_BY_LOSS + LOSS
