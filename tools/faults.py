"""Faults that an honest mistake would make, for `plant.py`.

Whoever changes what one replaces changes it here too: a test sees to it.
"""

from __future__ import annotations

from typing import NamedTuple

TRAINER, LEDGER, TUI, ENDS = (
    "tests/trainer/",
    "tests/trainer/ledger/",
    "tests/tui/",
    "tests/end_to_end/",
)


class Fault(NamedTuple):
    """In `file`, `old` (which stands there once) is replaced by `new`; `tests` are to notice."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


FAULTS = (
    # ---- the worker and its loop --------------------------------------------------------------
    Fault(
        "the retry does not give the cache back",
        "trainer/session.py",
        "        memory.release(self._device)\n        if training.cut_short and good is not None:",
        "        if training.cut_short and good is not None:",
        (TRAINER + "test_session_out_of_memory.py",),
    ),
    Fault(
        "the retry gives the cache back while the failed step is still held",
        "trainer/session.py",
        "training.drop_step()\n        memory.release(self._device)\n        if training.cut",
        "memory.release(self._device)\n        training.drop_step()\n        if training.cut",
        (TRAINER + "test_session_out_of_memory.py",),
    ),
    Fault(
        "the evaluation is not forgotten after another model",
        "trainer/session.py",
        "        if same != new:\n            self._evaluation.forget()\n",
        "",
        (TRAINER + "test_session_changes.py",),
    ),
    Fault(
        "an update cut short stays where there is nothing else to go back to",
        "trainer/session.py",
        "        elif good is not None and training.cut_short:\n            self._return(good)\n",
        "",
        (TRAINER + "test_session_out_of_memory.py",),
    ),
    Fault(
        "images of a step that failed are lost",
        "trainer/training.py",
        "        self.batches.seek(*self._place)\n",
        "",
        (TRAINER + "test_session_out_of_memory.py",),
    ),
    Fault(
        "what is gone back to is trained on, and cannot be gone back to again",
        "trainer/training.py",
        "self.optimizer.load_state_dict(_on_host(snapshot.optimizer))",
        "self.optimizer.load_state_dict(snapshot.optimizer)",
        (TRAINER + "test_session_out_of_memory.py", TRAINER + "test_models.py"),
    ),
    Fault(
        "a short batch of the test data weighs as much as a whole one",
        "trainer/training.py",
        "loss += batch_loss * len(batch.targets)",
        "loss += batch_loss * batch_size",
        (TRAINER + "test_models.py",),
    ),
    Fault(
        "a batch that is added up weighs as much as all of them",
        "trainer/training.py",
        "        if rows < images:\n            loss = loss * (rows / images)\n",
        "",
        (TRAINER + "test_accumulation.py",),
    ),
    Fault(
        "after a pause there are phases left to go",
        "trainer/conversation.py",
        "self.paused, self._phases = command.paused, 0",
        "self.paused = command.paused",
        (TRAINER + "test_session_held.py",),
    ),
    Fault(
        "ten times more observation",
        "trainer/watching.py",
        "OBSERVE_SECONDS = 0.5",
        "OBSERVE_SECONDS = 0.05",
        (TRAINER + "test_watching.py",),
    ),
    Fault(
        "a step that fits once is taken for settled",
        "trainer/watching.py",
        "SETTLED = 2",
        "SETTLED = 1",
        (TRAINER + "test_watching.py", TRAINER + "test_session.py"),
    ),
    Fault(
        "not even one test image: halves of none are tried for ever",
        "trainer/evaluation.py",
        "self._batch_size = half or EVALUATION_BATCH",
        "self._batch_size = half or 1",
        (TRAINER + "test_session_out_of_memory.py",),
    ),
    Fault(
        "a later sample takes away what was posted before it",
        "trainer/outbox.py",
        "        self._waiting[self._count] = message\n",
        "        self._latest[type(message)] = self._count\n"
        "        self._waiting[self._count] = message\n",
        (TRAINER + "test_outbox.py",),
    ),
    Fault(
        "once something was pressing, everything is",
        "trainer/outbox.py",
        "            self._pressing = False\n            messages",
        "            messages",
        (TRAINER + "test_outbox.py",),
    ),
    Fault(
        "a frame is read before all of it is there",
        "trainer/framing.py",
        "if len(self._pending) < _LENGTH + size:",
        "if len(self._pending) < size:",
        (TRAINER + "test_protocol.py",),
    ),
    Fault(
        "a worker serves a monitor of an older protocol",
        "trainer/__main__.py",
        "if start.version != VERSION:",
        "if start.version > VERSION:",
        (ENDS + "test_worker_process.py",),
    ),
    Fault(
        "a monitor hears a worker of a newer protocol",
        "tui/worker.py",
        "message.version != VERSION",
        "message.version < VERSION",
        (ENDS + "test_worker_process.py",),
    ),
    Fault(
        "no core is left to the monitor",
        "trainer/__main__.py",
        'torch.set_num_threads(spare if device.type == "cpu" else min(spare, _GATHERERS))',
        "del spare",
        (ENDS + "test_worker_process.py",),
    ),
    Fault(
        "the kernel does not end a worker with its parent",
        "trainer/parent.py",
        "        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)\n",
        "        pass\n",
        (ENDS + "test_worker_process.py",),
    ),
    Fault(
        "a worker whose parent was dead already stays",
        "trainer/parent.py",
        "    threading.Thread(target=watch, daemon=True).start()\n",
        "    del watch\n",
        (ENDS + "test_worker_process.py",),
    ),
    Fault(
        "the last line of a worker, without an end, is lost",
        "tui/worker.py",
        '        if line:\n            await self._print(line.decode(errors="replace").rstrip())\n',
        "",
        (ENDS + "test_worker_process.py",),
    ),
    # ---- the account of a step ----------------------------------------------------------------
    Fault(
        "what an operator only passes on counts as its own",
        "trainer/ledger.py",
        "born = storage._cdata not in older",
        "born = True",
        (LEDGER,),
    ),
    Fault(
        "what was there before the step does not count for the limit",
        "trainer/journal.py",
        "            self.held += life.bytes\n",
        "",
        (LEDGER,),
    ),
    Fault(
        "what is resized past all operators keeps its old size",
        "trainer/journal.py",
        "if storage is not None and storage.nbytes() != life.bytes:",
        "if storage is not None and storage.nbytes() > life.bytes:",
        (LEDGER,),
    ),
    Fault(
        "of two moments as high, the later one is called the peak",
        "trainer/anatomy.py",
        "            if total > top:",
        "            if total >= top:",
        (LEDGER,),
    ),
    Fault(
        "what load made is an activation once forward has ended",
        "trainer/journal.py",
        'if self.phase == life.phase == "forward":',
        'if self.phase == "forward":',
        (LEDGER,),
    ),
    Fault(
        "state that an optimizer keeps in a list is not its own",
        "trainer/ownership.py",
        "yield from ((name, tensor) for tensor in tensors_in(value))",
        "yield from ()",
        (LEDGER,),
    ),
    Fault(
        "a batch of the test data keeps all labels as its own",
        "trainer/batches.py",
        "images.targets[start:end].clone()",
        "images.targets[start:end]",
        (TRAINER + "test_batches.py", TRAINER + "test_session.py"),
    ),
    Fault(
        "the next seed's first epoch is this one's second",
        "trainer/batches.py",
        "(self._seed * 1_000_003 + epoch)",
        "(self._seed + epoch)",
        (TRAINER + "test_batches.py",),
    ),
    # ---- what is foretold ---------------------------------------------------------------------
    Fault(
        "the formula forgets the last layer's biases",
        "trainer/formula.py",
        "hidden * CLASSES + CLASSES",
        "hidden * CLASSES",
        (TRAINER + "test_formula.py",),
    ),
    Fault(
        "the step that is foretold is the first one, without the optimizer's state",
        "trainer/prediction.py",
        "    for _ in range(2):\n        anatomy, log",
        "    for _ in range(1):\n        anatomy, log",
        (TRAINER + "test_prediction.py",),
    ),
    Fault(
        "a search leaves the training where its trials left it",
        "trainer/search.py",
        "            training.restore(here)\n",
        "",
        (TRAINER + "test_search.py",),
    ),
    Fault(
        "the fastest size is the largest of the fast ones",
        "trainer/search.py",
        "fast_batch_size=min(fast)",
        "fast_batch_size=max(fast)",
        (TRAINER + "test_search.py",),
    ),
    Fault(
        "the allocator takes the first free block, not the smallest that fits",
        "trainer/caching.py",
        "key=lambda block: (block.size, block.number)",
        "key=lambda block: block.number",
        (TRAINER + "test_caching.py",),
    ),
    Fault(
        "a rest of just a MiB is split off",
        "trainer/caching.py",
        "else remaining > _SMALL:",
        "else remaining >= _SMALL:",
        (TRAINER + "test_caching.py",),
    ),
    Fault(
        "a 95% band is called 90%",
        "trainer/noise.py",
        "_DEVIATIONS = 1.645",
        "_DEVIATIONS = 1.96",
        (TRAINER + "test_noise.py",),
    ),
    Fault(
        "the spread of few estimates is taken for that of all there are",
        "trainer/noise.py",
        "_DEVIATIONS**2 * squares / (1 - squares)",
        "_DEVIATIONS**2 * squares",
        (TRAINER + "test_noise.py",),
    ),
    # ---- data and settings --------------------------------------------------------------------
    Fault(
        "files that are there are fetched again",
        "trainer/sources.py",
        "    if layout is not None and (own or not download):\n",
        "    if layout is not None and not download:\n",
        (TRAINER + "test_sources.py",),
    ),
    Fault(
        "a label of 10 is a digit",
        "trainer/datasets.py",
        "targets.max() >= CLASSES",
        "targets.max() > CLASSES",
        (TRAINER + "test_datasets.py", TRAINER + "test_dataset_files.py"),
    ),
    Fault(
        "a megabyte is a mebibyte",
        "trainer/settings.py",
        '"mb": 10**6',
        '"mb": 2**20',
        (TRAINER + "test_settings.py",),
    ),
    # ---- what is shown ------------------------------------------------------------------------
    Fault(
        "ctrl-z does not rest the training",
        "tui/app.py",
        "lambda _: commands.rest()",
        "lambda _: None",
        (TUI + "test_app.py",),
    ),
    Fault(
        "the reason for activations is given whatever the difference",
        "tui/comparison.py",
        'if category == "activations" and extra == 80 * batch_size + 8:',
        'if category == "activations":',
        (TUI + "test_comparison.py",),
    ),
    Fault(
        "whole panels are drawn again instead of the cells that changed",
        "tui/widgets/panel.py",
        "self.refresh(*changed)",
        "self.refresh()",
        (TUI + "test_panel.py",),
    ),
    Fault(
        "1,024 KiB are no MiB",
        "tui/units.py",
        "1023.95",
        "1024",
        (TUI + "test_units.py",),
    ),
    Fault(
        "the parts of the device bar are more than the device",
        "tui/holders.py",
        "            left -= parts[holder]\n",
        "",
        (TUI + "test_holders.py",),
    ),
    Fault(
        "the workspace is a part of the step too",
        "tui/holders.py",
        "memory.end.allocated - rounding - workspace",
        "memory.end.allocated - rounding",
        (TUI + "test_holders.py",),
    ),
    Fault(
        "a peak above the budget is larger than its bar",
        "tui/widgets/split_bar.py",
        "return max(budget, largest)",
        "return budget",
        (TUI + "test_split_bar.py",),
    ),
    Fault(
        "the walk goes on past its end",
        "tui/walk.py",
        "return min(self.last, self.first + passed)",
        "return self.first + passed",
        (TUI + "test_walk.py",),
    ),
    Fault(
        "left of the first moment stands the last one",
        "tui/cursor.py",
        "cursor=max(0, min(place, last))",
        "cursor=min(place, last)",
        (TUI + "test_cursor.py",),
    ),
    Fault(
        "a step of other images is walked through as the recorded one",
        "tui/moments.py",
        "if measured is None or not measured.settled or rows != measured.batch_size:",
        "if measured is None or not measured.settled:",
        (TUI + "test_walking.py", TUI + "test_cursor.py"),
    ),
    Fault(
        "a loss that is no number ends the charts",
        "tui/widgets/trends.py",
        "point.loss if point.loss is not None and math.isfinite(point.loss) else None",
        "point.loss",
        (TUI + "test_trends.py",),
    ),
    Fault(
        "the mark of what did not fit is lost with the images that were gone back on",
        "tui/history.py",
        "if mark.images < new.images or mark.images == end",
        "if mark.images < new.images",
        (TUI + "test_history.py",),
    ),
    Fault(
        "of each wide character only half a room is kept",
        "tui/glyphs.py",
        'else "?" * width',
        'else "?"',
        (TUI + "test_terminal.py",),
    ),
    Fault(
        "a configuration that is a link becomes a file",
        "tui/config.py",
        "self._path.resolve()",
        "self._path",
        (TUI + "test_config.py",),
    ),
    Fault(
        "a choice makes the others forgotten",
        "tui/config.py",
        "            others, _ = self.read()\n",
        "            others = Choices()\n",
        (TUI + "test_config.py",),
    ),
    # ---- the GPUs -----------------------------------------------------------------------------
    Fault(
        "a question that is refused is asked in an older form",
        "tui/nvml.py",
        "        except Missing:\n            pass\n",
        "        except Refused:\n            pass\n",
        (TUI + "test_readings.py",),
    ),
    Fault(
        "a process that computes and draws is counted twice",
        "tui/readings.py",
        "max(before, more or 0)",
        "before + (more or 0)",
        (TUI + "test_readings.py",),
    ),
    Fault(
        "a process without a command line yet never gets one",
        "tui/owners.py",
        "    if not line:\n        raise _Untold\n",
        "",
        (TUI + "test_owners.py",),
    ),
    # ---- the command line ---------------------------------------------------------------------
    Fault(
        "each repeat of a sweep has the same seed",
        "tui/plan.py",
        "seed=settings.seed + number",
        "seed=settings.seed",
        (TUI + "test_plan.py",),
    ),
    Fault(
        "two full batches are enough for a sweep",
        "tui/plan.py",
        "(before + 1) * size",
        "before * size",
        (TUI + "test_plan.py",),
    ),
    Fault(
        "a spread goes from the median on",
        "tui/rows.py",
        "Range(min(values), max(values))",
        "Range(median(values), max(values))",
        (TUI + "test_rows.py",),
    ),
    Fault(
        "only looking goes with another option, which is ignored",
        "tui/options.py",
        '        if len(given) > 1:\n            raise SettingError("--no-train',
        '        if len(given) > 2:\n            raise SettingError("--no-train',
        (TUI + "test_options.py",),
    ),
    Fault(
        "a run that was out of memory ends well",
        "tui/headless.py",
        "        code = FAILED\n",
        "",
        (ENDS + "test_command_line.py",),
    ),
    Fault(
        "an interrupted run ends well",
        "tui/headless.py",
        "return INTERRUPTED if interruption.came else code",
        "return code",
        (ENDS + "test_interruption.py",),
    ),
    Fault(
        "results that nobody gets, since stdout is closed, are no failure",
        "tui/output.py",
        "os.O_WRONLY if number == 2 else os.O_RDONLY",
        "os.O_WRONLY if number else os.O_RDONLY",
        (ENDS + "test_streams.py",),
    ),
    Fault(
        "a monitor under nohup ends with its terminal",
        "tui/signals.py",
        "    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # what nohup has asked for\n",
        "    if True:\n",
        (ENDS + "test_interruption.py",),
    ),
)
