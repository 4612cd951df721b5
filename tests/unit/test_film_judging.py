"""Films judged over time: rows, tracks of faces, timeline, and what is said of the film."""

import csv
import io
import itertools
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dfcore import workspace
from dfcore.confidence import FINDINGS, FileRange, Gate, OODResult
from dfcore.detectors.bundle import write_bundle
from dfcore.detectors.card import OODRecord
from dfcore.detectors.face_records import FaceSizes, FramingRecord, MeasuredFaces
from dfcore.detectors.verdict import Verdict
from dfcore.errors import FilmError, InputError, MissingExtraError
from dfcore.evaluation import MeasuredRates
from dfcore.films import Position, Sampling, judging, open_film
from dfcore.films.conduct import ready_judges
from dfcore.films.judges import Judge, Judges, choose, crop, find, judges_of
from dfcore.films.judging import Judging
from dfcore.films.rows import JudgedSample, Row, all_rows, series
from dfcore.films.timeline import COLUMNS, stretches, table, to_csv, worst
from dfcore.films.tracks import Tracker
from dfcore.films.verdict import UNCALIBRATED, film_verdict
from dfcore.imaging.prepared import PreparedImage
from dfcore.utils import extras
from tests.bright_detectors import bright, grey
from tests.conftest import make_card, untrained
from tests.made_films import film, write
from tests.unit.drawn_face import scene

EACH = Sampling("frames", 1)


def judged(path: Path, judges: Judges, sampling: Sampling = EACH, **more) -> list[JudgedSample]:
    with open_film(path) as one:
        return [sample for sample, _ in Judging(one, sampling, judges=judges, **more)]


def row(
    sample: int, finding: str | None = "fake", *, track: int | None = None, score: float | None = 0.9, used=True
) -> Row:
    return Row(
        sample, sample * 10, sample / 2, track, None, "bright", "", score, 0.0, not used, used, finding, None  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_stretch_of_fakes_is_found_where_it_is(tmp_path: Path) -> None:
    pictures = [grey(60)] * 20 + [grey(220)] * 10 + [grey(60)] * 10
    samples = judged(write(tmp_path, film(pictures)), judges_of({"bright": bright()}, {}), Sampling("seconds", 0.2))
    rows = list(all_rows(samples))
    assert len(samples) == len(rows) == 20 and [one.sample for one in rows] == list(range(20))
    assert {one.detector for one in rows} == {"bright"} and all(one.track is None for one in rows)
    (stretch,) = stretches(rows)
    assert (round(stretch.start, 3), round(stretch.end, 3), stretch.samples) == (2.0, 2.8, 5)
    assert {round(one.seconds, 3) for one in worst(rows, 2, apart=0.5)} <= {2.0, 2.2, 2.4, 2.6, 2.8}
    assert [one.finding for one in rows[:2]] == ["no_sign"] * 2


def test_faces_are_judged_apart_and_followed(tmp_path: Path) -> None:
    # One face moves to the right, another one comes later and is brighter.
    def frame(n: int) -> np.ndarray:
        rgb = scene([(20 + 12 * n, 60, 240)], 360, 720)
        if n >= 2:
            other = scene([(440, 60, 240)], 360, 720)
            rgb[:, 430:] = np.minimum(other[:, 430:].astype(int) + 70, 255)
        return rgb

    judges = judges_of({"bright": bright(), "faces": bright(of_faces=True)}, {})
    samples = judged(write(tmp_path, film([frame(n) for n in range(6)], options={"crf": "5"})), judges)
    by_track = series(all_rows(samples))
    assert [len(found) for found in by_track.values()] == [6, 6, 4]
    first, second = by_track[1], by_track[2]
    assert {one.detector for one in (*first, *second)} == {"faces"}
    assert {one.detector for one in by_track[None]} == {"bright"}
    assert all(one.box and other.box and one.box[0] < other.box[0] for one, other in itertools.pairwise(first))
    assert np.mean([one.score for one in second]) > np.mean([one.score for one in first])


def test_judging_goes_on_after_a_break_with_the_same_rows(tmp_path: Path) -> None:
    places = [20, 26, None, 38, 20, 26, 30, 30, None, 230, 230, 230]
    pictures = [scene([] if left is None else [(left, 60, 240)], 360, 480) for left in places]
    path = write(tmp_path, film(pictures, options={"crf": "5"}))
    judges = judges_of({"bright": bright(), "faces": bright(of_faces=True)}, {})
    whole = judged(path, judges)
    assert len(series(all_rows(whole))) == 3
    for known in (whole[:1], whole[:8], whole[:12]):
        tracker = Tracker()
        for sample in known:
            faces = [one for one in sample.rows if one.track is not None]
            tracker.recall([one.track for one in faces], [one.box for one in faces])
        assert known + judged(path, judges, after=known[-1].position, tracker=tracker) == whole


def test_without_a_detector_for_frames_faces_alone_are_judged(tmp_path: Path) -> None:
    path = write(tmp_path, film([scene([(60, 60, 240)], 360, 480), grey(90, 360, 480)]))
    first, second = judged(path, judges_of({"faces": bright(of_faces=True)}, {}))
    assert [one.detector for one in first.rows] == [None, "faces"] and len(second.rows) == 1
    assert first.rows[0].says == "no verdict" and "asked for" in (first.rows[0].reason or "")
    assert not judges_of({"faces": bright(of_faces=True)}, {}, with_faces=False).face


def test_damaged_frames_are_not_judged(tmp_path: Path) -> None:
    content = film(40)
    middle = content.index(b"mdat") + 900
    path = write(tmp_path, content[:middle] + bytes(range(256)) * 4 + content[middle + 1024 :])
    samples = judged(path, judges_of({"bright": bright()}, {}))
    damaged = [one for one in samples if one.damaged]
    assert damaged and len(damaged) < len(samples)
    assert all(one.rows[0].score is None and "missing in the file" in (one.rows[0].reason or "") for one in damaged)
    verdict = film_verdict(list(all_rows(samples)), {})
    assert verdict.damaged == len(damaged) and "not judged" in verdict.sentences()[-2]


def test_what_was_read_is_judged_before_an_error_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, film(30))
    for last in (13, 14, 15):  # The error comes in one batch with samples, or alone.
        with open_film(path) as one:
            read, found = one.frames, []

            def frames(*of: object, read=read, last=last) -> Iterable:
                yield from itertools.islice(read(*of), last)
                raise FilmError("It broke.")

            one.frames = frames  # type: ignore[method-assign]
            with pytest.raises(FilmError, match="broke"):
                for sample, thumbnail in Judging(one, EACH, judges=judges_of({"bright": bright()}, {})):
                    found.append(sample)
                    time.sleep(0.02)
                    assert thumbnail.shape == (96, 128, 3)
            assert len(found) == last


def test_reading_waits_for_judging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = []
    make = Judging.prepared
    monkeypatch.setattr(Judging, "prepared", lambda self, sample: prepared.append(1) or make(self, sample))
    with open_film(write(tmp_path, film(60))) as one:
        samples = iter(Judging(one, EACH, judges=judges_of({"bright": bright()}, {})))
        next(samples)
        time.sleep(0.5)
        assert len(prepared) <= 2 * judging._WAITING + 2
        samples.close()  # type: ignore[attr-defined]
        # The thread ends, and the film may be used again.
        until = time.monotonic() + 5
        while any("_prepare" in thread.name for thread in threading.enumerate()) and time.monotonic() < until:
            time.sleep(0.05)
        assert len(list(one.frames(Sampling("frames", 30)))) == 2


def test_one_detector_is_chosen_for_the_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judges = judges_of({name: bright() for name in ("small", "large")}, {}).whole
    images = [PreparedImage.from_pixels(grey(60 + 30 * n), [judges["small"].detector.spec]) for n in range(5)]

    def verdicts(fits: list[bool]) -> list[Verdict]:
        return [Verdict(0.5, 0.5, ood=OODResult(0.5 if one else 2.0, () if one else ("unlike",))) for one in fits]

    said = {"small": verdicts([True, False, False, True, False]), "large": verdicts([False, True, True, False, True])}
    for name, judge in judges.items():
        monkeypatch.setattr(judge.detector, "judge", lambda batch, policy, name=name: said[name])
    name, why = choose(images, judges)
    assert name == "large" and why == "Of the detectors here large fits 3 of the first 5 samples, the most."
    # One that fits a single sample goes before one that is closest to the others.
    said["small"], said["large"] = verdicts([True] + [False] * 4), verdicts([False] * 5)
    for number in range(1, 5):
        said["small"][number] = Verdict(0.5, 0.5, ood=OODResult(9.0, ("unlike",)))
    assert choose(images, judges)[0] == "small"
    said["small"] = said["large"] = verdicts([False] * 5)
    assert "comes closest" in choose(images, judges)[1]
    assert list(judges_of({"a": bright(), "b": bright()}, {}).alone("b").whole) == ["b"]
    with pytest.raises(InputError, match="Expected a detector of whole frames"):
        judges_of({"a": bright()}, {}).alone("b")


def test_all_frames_are_judged_by_the_chosen_detector(tmp_path: Path) -> None:
    path = write(tmp_path, film(12))
    judges = judges_of({"one": bright(), "two": bright()}, {})
    with open_film(path) as one:
        work = Judging(one, EACH, judges=judges)
        rows = [row for sample, _ in work for row in sample.rows]
    assert work.chosen is not None and work.why
    assert len(rows) == 12 and {row.detector for row in rows} == {work.chosen.name}


def test_tracks() -> None:
    tracker = Tracker()
    left, right, moved = (0.0, 0.0, 10.0, 10.0), (50.0, 0.0, 60.0, 10.0), (3.0, 0.0, 13.0, 10.0)
    assert tracker.assign([left, right]) == [1, 2]
    assert tracker.assign([right, moved]) == [2, 1]
    # Two missing samples are survived, three are not.
    assert tracker.assign([left]) == [1] and tracker.assign([]) == []
    assert tracker.assign([right]) == [2]
    assert [tracker.assign([]) for _ in range(3)] == [[], [], []]
    assert tracker.assign([right]) == [3]
    # The larger overlap goes first, and each track to one face only.
    tracker = Tracker()
    tracker.assign([left])
    assert tracker.assign([(4.0, 0.0, 14.0, 10.0), (1.0, 0.0, 11.0, 10.0)]) == [2, 1]
    # An overlap below the least one is another face.
    assert tracker.assign([(1.0, 8.0, 11.0, 18.0)]) == [3]


def test_stretches_pass_over_what_is_not_used() -> None:
    rows = [row(0), row(1, "inconclusive", used=False), row(2), row(3, "no_sign", score=0.1), row(4)]
    rows += [row(n, track=1, score=0.5 + n / 10) for n in range(3)]
    found = [(one.track, one.start, one.end, one.samples) for one in stretches(rows)]
    assert found == [(None, 0.0, 1.0, 2), (1, 0.0, 1.0, 3), (None, 2.0, 2.0, 1)]
    assert [one.sample for one in worst(rows, 2, apart=1.0)] == [0, 2]


def test_the_timeline_is_a_typed_table_and_safe_as_csv() -> None:
    place = Position(0, 0, 0.0, 0, True)
    rows = (row(0), replace(row(0, track=2), box=(1.0, 2.0, 3.5, 4.0), detector="=evil()", reason="a, b"))
    found = table([JudgedSample(place, 640, 480, False, rows)])
    assert {name: str(kind) for name, kind in found.dtypes.items()} == COLUMNS
    assert table([]).dtypes.astype(str).to_dict() == COLUMNS
    first, second = csv.DictReader(io.StringIO(to_csv([JudgedSample(place, 640, 480, False, rows)])))
    assert first["track"] == "" and first["left"] == "" and second["track"] == "2" and second["right"] == "3.5"
    assert second["detector"] == "'=evil()" and second["reason"] == "a, b"


def test_rows_are_kept_as_plain_data() -> None:
    rows = (row(3), replace(row(3, track=2), box=(1.0, 2.0, 3.5, 4.0)))
    sample = JudgedSample(Position(3, 30, 1.5, 99, True), 640, 480, False, rows, (5, 100))
    assert JudgedSample.from_dict(sample.to_dict()) == sample
    for name, value in (("score", 2.0), ("finding", "guilty"), ("sample", 4), ("unknown", 1)):
        wrong = sample.to_dict()
        wrong["rows"][0][name] = value
        with pytest.raises((KeyError, TypeError, ValueError)):
            JudgedSample.from_dict(wrong)


def test_a_film_is_inconclusive_and_its_counts_are_told() -> None:
    rates = {"bright": MeasuredRates("pictures", 100, 100, 10, 90, 0, 0)}
    rows = [row(n, score=0.9 + n / 1000) for n in range(12)] + [
        row(n, "inconclusive", score=0.3) for n in range(12, 60)
    ]
    rows += [row(n, "no_sign", track=1, score=0.1) for n in range(4)]
    rows += [row(n, "inconclusive", track=2, used=False) for n in range(2)]
    verdict = film_verdict(rows, rates)
    assert verdict.finding == "inconclusive" and (verdict.samples, verdict.fake) == (60, 12)
    assert verdict.sentences() == [
        "12 of 60 sampled frames are called likely fake by `bright`; at its measured false alarms, 6 would be expected "
        "if all were real. The 3 highest scores have a mean of 0.91.",
        "0 of 4 samples of face 1 are called likely fake by `bright`; at its measured false alarms, 0.4 would be "
        "expected if all were real. The 3 highest scores have a mean of 0.10.",
        "`bright` does not apply to 1 further face (2 samples): unlike what it was trained on.",
        UNCALIBRATED,
    ]
    assert FINDINGS["real"] not in " ".join(verdict.sentences())
    assert verdict.to_dict()["series"][0]["share"] == 0.2
    # Without measured rates nothing is expected, and many faces are summed up.
    rows = [row(n, "fake" if n < track else "no_sign", track=track) for track in range(1, 9) for n in range(8)]
    words = film_verdict(rows, {"bright": None}).sentences()
    assert len(words) == 7 and "expected" not in " ".join(words)
    assert words[5] == "Of 3 further faces, none with a larger share, 6 of 24 samples are called likely fake."
    assert film_verdict([], {}).sentences()[0] == "Nothing in the film was judged."


def test_refused_samples_are_not_counted_as_evidence() -> None:
    rows = [row(n, "inconclusive", used=False) for n in range(3)] + [row(3, score=0.7)]
    assert film_verdict(rows, {}).sentences()[0] == (
        "Of 4 sampled frames `bright` applies to 1, of which 1 is called likely fake. The other 3 are unlike what it "
        "was trained on. The score is 0.70."
    )
    nothing = film_verdict(rows[:3], {})
    assert nothing.sentences()[0] == "`bright` does not apply to 3 sampled frames: unlike what it was trained on."
    assert nothing.series[0].share is None and nothing.series[0].top is None


def test_faces_are_cropped_as_the_card_says_and_the_version_tells() -> None:
    rgb = scene([(60, 60, 240)], 360, 480)
    (face,) = find(rgb)
    plain, wide = bright(of_faces=True), bright(of_faces=True, framing=FramingRecord(margin=0.1, offset=0.0))
    narrow_side, wide_side = (len(crop(rgb, face, one.card)) for one in (plain, wide))
    assert narrow_side < wide_side == round(1.2 * narrow_side)
    assert len({Judge("bright", one).version for one in (plain, wide)}) == 2


def test_faces_of_a_size_at_which_too_many_were_called_fake_are_followed_and_refused(tmp_path: Path) -> None:
    frames = [scene([(20, 20, 300), (380, 40, 120)], 360, 560) for _ in range(3)]
    sizes = FaceSizes(budget=0.05, measured=(MeasuredFaces(side=150, faces=100, alarms=1),))
    small = bright(of_faces=True, face_sizes=sizes)
    samples = judged(write(tmp_path, film(frames)), judges_of({"faces": small}, {}))
    why = "on faces below 150 the detector was measured to err too often"
    for sample in samples:
        frame, *faces = sample.rows
        assert frame.detector is None and {row.track for row in faces} == {1, 2}
        large, little = sorted(faces, key=lambda row: -row.box[2] + row.box[0])
        assert large.detector == "faces" and large.score is not None
        assert large.is_used and little.score is not None
        assert (little.detector, little.is_used, little.finding) == ("faces", False, "inconclusive")
        assert why in little.reason
        assert JudgedSample.from_dict(sample.to_dict()) == sample
    told = film_verdict(list(all_rows(samples)), {})
    assert sorted((one.samples, one.used, one.small) for one in told.series) == [(3, 0, 3), (3, 3, 0)]
    assert "`faces` does not apply to 1 further face (3 samples): too small for it to decide on." in told.sentences()
    assert why in to_csv(samples)
    unmeasured = Judge("faces", bright(of_faces=True))
    assert Judge("faces", small).version != unmeasured.version


def test_faces_too_small_to_be_judged_are_followed_counted_and_told(tmp_path: Path) -> None:
    frames = [scene([(20, 20, 300), (380, 40, 120)], 360, 560) for _ in range(3)]
    gate = OODRecord(files=FileRange(sides=(1, 9999)), sha256="", gate=Gate(sides=(150.0, None)))
    samples = judged(write(tmp_path, film(frames)), judges_of({"faces": bright(of_faces=True, ood=gate)}, {}))
    why = "smaller than 150 pixels a side when cut out, too small for Bright."
    little = [row for row in all_rows(samples) if row.track is not None and row.detector is None]
    assert len(little) == 3 and {row.reason for row in little} == {f"This face is not judged: {why}"}
    assert len({row.track for row in little}) == 1 and {row.score for row in little} == {None}
    told = film_verdict(list(all_rows(samples)), {})
    assert (told.small, len(told.series)) == (3, 1)
    assert f"3 times a face was not judged: {why}" in told.sentences()
    assert "a face was not judged" not in " ".join(film_verdict([], {}).sentences())
    assert "not judged: smaller than 150 pixels" in to_csv(samples)


def test_why_faces_of_a_film_are_not_judged_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(tmp_path / "models" / "plain", untrained(1), make_card(title="Plain"))
    monkeypatch.setenv("DFCORE_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(workspace, "shipped_models_dir", lambda: tmp_path / "models")
    made = ready_judges(("auto",), lambda card: None)
    assert made.face is None and made.no_faces == "There is no detector for faces."
    assert made.alone("plain").no_faces == made.no_faces
    assert ready_judges(("auto",), lambda card: None, faces=False).no_faces == "", "nobody asked"
    require = extras.require

    def lacking(module: str, extra: str, purpose: str) -> None:
        if purpose == "Looking for faces":
            raise MissingExtraError("Looking for faces needs openvino.")
        require(module, extra, purpose)

    monkeypatch.setattr(extras, "require", lacking)
    assert ready_judges(("auto",), lambda card: None).no_faces == "Looking for faces needs openvino."
