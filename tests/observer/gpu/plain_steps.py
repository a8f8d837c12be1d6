"""Plain steps on a CUDA device, whose reports must not wait for it; for a simulated GPU.

Prints how many of five samples have a loss and a time.
"""

import torch
from vramtop.protocol.lesson.messages import LessonSample
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Note
from vramtop.trainer.data.datasets import Library
from vramtop.trainer.device.devices import describe
from vramtop.trainer.session.outbox import Outbox
from vramtop.trainer.session.reports import Reports
from vramtop.trainer.training.training import Training
from vramtop.trainer.training.watcher import Unwatched

DEVICE = torch.device("cuda", 0)

if __name__ == "__main__":
    settings = Settings()
    training = Training(settings, Library(None).load("mnist"), DEVICE)
    outbox = Outbox()
    reports = Reports(outbox, every_step=False)
    reports.settings(settings, describe(DEVICE), training)
    samples: list[LessonSample] = []
    while len(samples) < 5:
        reports.plain_step()
        loss = training.step(64, Unwatched())
        torch.cuda.set_sync_debug_mode("error")  # whatever waits for the device raises
        reports.step(training, loss, 64, plain=True)
        torch.cuda.set_sync_debug_mode("default")
        outbox.post(Note("take() waits for a message"))
        messages = [envelope.message for envelope in outbox.take()]
        samples += [message for message in messages if isinstance(message, LessonSample)]
    print(sum(None not in (sample.loss, sample.step_seconds) for sample in samples))
