"""Faults of what is counted and predicted, and of the data."""

from __future__ import annotations

from .fault import Fault

FIGURES = (
    # ---- the account of a step -------------------------------------------------------------
    Fault(
        "a storage that an operator only passes on counts as its own",
        "observer/recording.py",
        "born = storage_key(storage) not in older",
        "born = True",
        ("tests/observer/",),
    ),
    Fault(
        "tensors older than the step do not count for the limit",
        "observer/journal.py",
        "            self.held += tracked.bytes\n",
        "",
        ("tests/trainer/training/test_limit.py",),
    ),
    Fault(
        "a storage that is resized without an operator keeps its old size",
        "observer/journal.py",
        "if storage is not None and storage.nbytes() != tracked.bytes:",
        "if storage is not None and storage.nbytes() > tracked.bytes:",
        ("tests/observer/",),
    ),
    Fault(
        "of two moments as high, the later one is called the peak",
        "accounting/anatomy.py",
        "            if total > top:",
        "            if total >= top:",
        ("tests/observer/",),
    ),
    Fault(
        "a tensor made in load is an activation once forward has ended",
        "observer/journal.py",
        'if self.phase == tracked.born == "forward":',
        'if self.phase == "forward":',
        ("tests/observer/",),
    ),
    Fault(
        "state that an optimizer keeps in a list is not its own",
        "observer/ownership.py",
        "yield from ((name, tensor) for tensor in tensors_in(value))",
        "yield from ()",
        ("tests/observer/",),
    ),
    Fault(
        "a batch of the test data keeps all labels as its own",
        "trainer/data/batches.py",
        "images.targets[start:end].clone()",
        "images.targets[start:end]",
        ("tests/trainer/data/test_batches.py", "tests/trainer/session/test_session.py"),
    ),
    Fault(
        "the next seed's first epoch is this one's second",
        "trainer/data/batches.py",
        "(self._seed * 1_000_003 + epoch)",
        "(self._seed + epoch)",
        ("tests/trainer/data/test_batches.py",),
    ),
    # ---- predictions -----------------------------------------------------------------------
    Fault(
        "the formula forgets the last layer's biases",
        "protocol/lesson/formula.py",
        "hidden * CLASSES + CLASSES",
        "hidden * CLASSES",
        ("tests/protocol/lesson/test_formula.py",),
    ),
    Fault(
        "the step that is predicted is the first one, without the optimizer's state",
        "trainer/fitting/predictor.py",
        "    for _ in range(2):\n        anatomy, log",
        "    for _ in range(1):\n        anatomy, log",
        ("tests/trainer/fitting/test_prediction.py",),
    ),
    Fault(
        "a search leaves the training where its trials left it",
        "trainer/fitting/search.py",
        "            training.restore(here)\n",
        "",
        ("tests/trainer/fitting/test_search.py",),
    ),
    Fault(
        "the fastest size is the largest of the fast ones",
        "trainer/fitting/search.py",
        "fast_batch_size=min(fast)",
        "fast_batch_size=max(fast)",
        ("tests/trainer/fitting/test_search.py",),
    ),
    Fault(
        "the allocator takes the largest free block, not the smallest that fits",
        "accounting/caching.py",
        "self._blocks[self._keys[at]]",
        "self._blocks[self._keys[-1]]",
        ("tests/accounting/test_caching.py",),
    ),
    Fault(
        "a rest of just a MiB is split off",
        "accounting/caching.py",
        "else remaining > _SMALL:",
        "else remaining >= _SMALL:",
        ("tests/accounting/test_caching.py",),
    ),
    Fault(
        "a 95% band is called 90%",
        "trainer/training/noise.py",
        "_DEVIATIONS = 1.645",
        "_DEVIATIONS = 1.96",
        ("tests/trainer/training/test_noise.py",),
    ),
    Fault(
        "the spread of few estimates is taken for that of all there are",
        "trainer/training/noise.py",
        "_DEVIATIONS**2 * squares / (1 - squares)",
        "_DEVIATIONS**2 * squares",
        ("tests/trainer/training/test_noise.py",),
    ),
    # ---- data and settings -----------------------------------------------------------------
    Fault(
        "files that are there are downloaded again",
        "trainer/data/sources.py",
        "    if layout is not None and (own or not download):\n",
        "    if layout is not None and not download:\n",
        ("tests/trainer/data/test_sources.py",),
    ),
    Fault(
        "a label of 10 is a digit",
        "trainer/data/datasets.py",
        "targets.max() >= CLASSES",
        "targets.max() > CLASSES",
        ("tests/trainer/data/test_datasets.py", "tests/trainer/data/test_dataset_files.py"),
    ),
    Fault(
        "a megabyte is a mebibyte",
        "protocol/lesson/settings.py",
        '"mb": 10**6',
        '"mb": 2**20',
        ("tests/protocol/lesson/test_settings.py",),
    ),
)
