"""Showing images while a session trains, which has no effect on it."""

from driven import running, whole
from vramtop.protocol.commands import Advance, Pause
from vramtop.protocol.lesson.commands import ShowImage
from vramtop.protocol.lesson.messages import LessonMeasured, LessonSample, Picture
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer


def looked_at(library, settings, steps):
    """The losses of a training that shows images meanwhile, and the number of images shown."""
    with running(library, settings, steps=steps, every_step=True) as driver:
        for command in range(1, 16):
            driver.send(ShowImage(command))
            driver.until(Answer, lambda answer, at=command: answer.command == at)
        driver.ended()
        return driver.losses, len(driver.all(Picture))


def test_looking_at_images_changes_no_loss_to_the_bit(library):
    settings = Settings(batch_size=256)
    seen, pictures = looked_at(library, settings, 30)
    assert pictures == 15
    assert seen == whole(library, settings, 30).losses


def test_an_image_is_shown_while_the_training_is_paused(library):
    with running(library) as driver:
        driver.until(LessonSample)
        driver.send(Pause(1, paused=True))
        driver.until(Answer)
        driver.send(ShowImage(2))
        driver.send(ShowImage(3))
        assert [driver.until(Picture).index for _ in range(2)] == [0, 1]
        driver.send(ShowImage(4, 6_000))
        error = driver.until(Answer, lambda answer: answer.command == 4).error
        assert error == "there is no image 6,000; there are 0 to 5,999"


def test_an_image_seen_while_a_step_is_held_is_no_part_of_the_step(library):
    anatomies = []
    for looks in (0, 3):
        with running(library) as driver:
            driver.settled()
            driver.pause()
            for command in range(2, 6):
                driver.send(Advance(command))
                driver.until(LessonSample, lambda sample: sample.phase != "zero_grad")
                for _ in range(looks):
                    driver.send(ShowImage(command))
                    driver.until(Picture)
            driver.send(Advance(6))
            anatomies.append(driver.until(LessonMeasured).anatomy)
    assert anatomies[0] == anatomies[1]


def test_a_training_that_has_ended_still_shows_its_images(library):
    with running(library, steps=1) as driver:
        driver.ended()
        driver.send(ShowImage(1, 5))
        assert driver.until(Picture).index == 5
