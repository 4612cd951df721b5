"""Frames of a camera or a screen, judged one after the other."""

import numpy as np
import pytest

from dfcore.films import live
from dfcore.films.conduct import described
from dfcore.films.judges import judges_of
from dfcore.films.live import Live
from dfcore.films.rows import all_rows
from dfcore.films.timeline import stretches, to_csv
from tests.bright_detectors import bright, grey
from tests.unit.drawn_face import scene


def taken(one: Live, rgb: np.ndarray, seconds: float):
    return one.judge(one.prepare(rgb, seconds))


def test_frames_are_judged_as_those_of_a_film_are():
    one = Live(judges=judges_of({"bright": bright()}, {}))
    for number, light in enumerate((60, 220, 220, 60)):
        sample = taken(one, grey(light), number / 2)
        assert (sample.position.index, sample.position.seconds) == (number, number / 2)
        assert [row.finding for row in sample.rows] == ["fake" if light > 128 else "no_sign"]
    (stretch,) = stretches(all_rows(one.samples))
    assert (stretch.start, stretch.end, stretch.samples) == (0.5, 1.0, 2)
    assert described(one)["chosen"] == "bright" and len(to_csv(one.samples).splitlines()) == 5


def test_faces_are_known_again_and_the_first_frame_chooses():
    one = Live(judges=judges_of({"a": bright(), "b": bright(), "faces": bright(of_faces=True)}, {}))
    first, second = (taken(one, scene([(left, 100, 240)]), left / 100) for left in (100, 130))
    assert [row.track for row in first.rows] == [row.track for row in second.rows] == [None, 1]
    assert first.rows[0].detector == second.rows[0].detector == one.chosen.name
    assert "the first frame" in one.why and first.rows[1].detector == "faces"


def test_what_is_kept_is_bounded_and_what_is_forgotten_is_counted(monkeypatch):
    monkeypatch.setattr(live, "MOST", 3)
    one = Live(judges=judges_of({"bright": bright()}, {}))
    for number in range(5):
        taken(one, grey(60), number)
    assert (one.number, one.forgotten) == (5, 2)
    assert [sample.position.index for sample in one.samples] == [2, 3, 4]


def test_many_faces_make_frames_be_forgotten_sooner(monkeypatch):
    monkeypatch.setattr(live, "MOST_ROWS", 5)
    one = Live(judges=judges_of({"bright": bright(), "faces": bright(of_faces=True)}, {}))
    for number in range(4):
        taken(one, scene([(100, 100, 240)]), number)
    assert (one.number, one.forgotten) == (4, 2) and sum(len(sample.rows) for sample in one.samples) == 4


def test_the_pace_is_that_of_the_last_frames(monkeypatch):
    times = iter([0.0, 10.0, 10.5, *(11.0 + n / 4 for n in range(10))])
    monkeypatch.setattr(live, "time", type("Clock", (), {"monotonic": staticmethod(lambda: next(times))}))
    one = Live(judges=judges_of({"bright": bright()}, {}))
    paces = []
    for number in range(13):
        taken(one, grey(60), number)
        paces.append(one.per_second)
    assert paces[:3] == [None, pytest.approx(0.1), pytest.approx(2 / 10.5)]
    assert paces[-1] == pytest.approx(10 / (13.25 - 10.5))
