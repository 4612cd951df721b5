"""Films: facts, which frames are looked at, and reading on after a break."""

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from dfcore.errors import FilmError, InputError, MissingExtraError
from dfcore.films import FilmFacts, Position, Sampling, open_film
from tests.made_films import film, number_of, picture, sound_alone, write

FIRST = Sampling("frames", 1000)


def opened(folder: Path, content: bytes, name: str = "film.mp4") -> FilmFacts:
    with open_film(write(folder, content, name)) as one:
        return one.facts


def read(path: Path, sampling: Sampling, after: Position | None = None) -> list[tuple[int, float]]:
    """Numbers that the samples show, and their times."""
    with open_film(path) as one:
        return [(number_of(sample.rgb), round(sample.position.seconds, 3)) for sample in one.frames(sampling, after)]


def test_facts_and_samples_of_a_film(tmp_path: Path) -> None:
    path = write(tmp_path, film(25, sound=True, cover=True))
    with open_film(path) as one:
        assert one.facts == FilmFacts(
            "MP4 or QuickTime", "h264", 128, 96, 0, 2.5, 25, 10.0, False, 8, None, 1, 0, 1, path.stat().st_size
        )
        samples = list(one.frames(Sampling("seconds", 0.5)))
        assert [number_of(sample.rgb) for sample in samples] == [0, 5, 10, 15, 20]
        assert [sample.position.frame for sample in samples] == [0, 5, 10, 15, 20]
        assert [sample.position.index for sample in samples] == [0, 1, 2, 3, 4]
        assert [round(sample.position.seconds, 6) for sample in samples] == [0, 0.5, 1, 1.5, 2]
        assert samples[0].rgb.shape == (96, 128, 3) and not samples[0].damaged
        assert np.abs(samples[2].rgb.astype(int) - picture(10)).mean() < 8
        assert one.ending is not None and (one.ending.frames, one.ending.damaged, one.ending.notes) == (25, 0, ())
        # Any frame again, and then another series.
        assert number_of(one.frame(samples[3].position).rgb) == 15
        assert [number_of(sample.rgb) for sample in one.frames(Sampling("frames", 12))] == [0, 12, 24]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_frames_are_upright(tmp_path: Path, turn: int) -> None:
    with open_film(write(tmp_path, film(2, turn=turn))) as one:
        rgb = next(one.frames(FIRST)).rgb
        assert one.facts.rotation == 360 - turn
        assert (one.facts.height, one.facts.width) == rgb.shape[:2]
    # The file asks for a turn counterclockwise.
    assert np.abs(rgb.astype(int) - np.rot90(picture(0), turn // 90)).mean() < 8


def test_mirrored_frames_are_mirrored_back(tmp_path: Path) -> None:
    plain = film(2, turn=180)
    start = plain.index(b"tkhd") + 4
    matrix = plain.index((-(2**16)).to_bytes(4, "big", signed=True), start)
    # From a half turn to left and right swapped: the sign of the last of its four numbers.
    swapped = plain[: matrix + 16] + (2**16).to_bytes(4, "big") + plain[matrix + 20 :]
    with open_film(write(tmp_path, swapped)) as one:
        rgb = next(one.frames(FIRST)).rgb
        assert "mirrored" in one.facts.notes[0]
    assert np.abs(rgb.astype(int) - picture(0)[:, ::-1]).mean() < 8


def test_a_frame_of_an_absurd_time_counts_as_one_without_a_time(tmp_path: Path) -> None:
    path = write(tmp_path, film(4, pts=[0, 100, 200, 10**15], container="matroska"), "film.mkv")
    with open_film(path) as one:
        times = [sample.position.seconds for sample in one.frames(Sampling("frames", 1))]
        assert times[:3] == [0.0, 0.1, 0.2] and len(times) == 4 and 0.2 < times[3] < 2
        assert one.ending is not None and one.ending.irregular == 1


def test_pixels_that_are_not_read_are_told_however_frames_are_chosen(tmp_path: Path, monkeypatch) -> None:
    from dfcore.films import upright

    class Odd:
        width, height, colorspace = 64, 48, 1

        def reformat(self, *_, **__):
            raise ValueError("rgba128le")

    for look in (upright.pixels, upright.thumbnail):
        with pytest.raises(FilmError, match=r"of a kind that is not read here .*rgba128le"):
            look(Odd())


def test_times_are_those_of_frames_where_they_vary(tmp_path: Path) -> None:
    times = [0, 100, 150, 900, 2500, 2550, 2600, 3999]
    path = write(tmp_path, film(8, pts=times, container="matroska"), "film.mkv")
    with open_film(path) as one:
        seen = [(sample.position.frame, sample.position.seconds) for sample in one.frames(Sampling("seconds", 1))]
        # The first at or after 0, 1 (2 as well) and 3 seconds.
        assert seen == [(0, 0.0), (4, 2.5), (7, 3.999)]
        assert one.ending is not None and "varies, from 0.05 to 1.6 s" in one.ending.notes[0]


def test_tones_of_high_dynamic_range_are_told(tmp_path: Path) -> None:
    facts = opened(tmp_path, film(2, hdr=True, pixel_format="yuv420p10le"))
    assert facts.hdr == "PQ" and facts.bit_depth == 10 and "high dynamic range" in facts.notes[0]


def test_colours_without_a_name_are_those_of_high_definition_from_its_size_on(tmp_path: Path) -> None:
    # The encoder was given the numbers of standard definition; read as high definition the green shifts.
    for height, shifts in ((480, False), (720, True)):
        green = np.full((height, 64, 3), (20, 200, 60), np.uint8)
        with open_film(write(tmp_path, film([green], options={"crf": "1"}))) as one:
            read_as = next(one.frames(FIRST)).rgb
        assert (np.abs(read_as.astype(int) - green).max() > 8) == shifts


def test_scenes(tmp_path: Path) -> None:
    dark, light = np.full((96, 128, 3), 20, np.uint8), np.full((96, 128, 3), 220, np.uint8)
    path = write(tmp_path, film([dark] * 4 + [light] * 30 + [dark] * 3))
    with open_film(path) as one:
        frames = [sample.position.frame for sample in one.frames(Sampling("scenes", 2))]
        # The first, two cuts, and one two seconds after the first cut at the latest.
        assert frames == [0, 4, 24, 34]


def test_a_film_that_changes_its_size_goes_on(tmp_path: Path) -> None:
    parts = [film([picture(n, *size) for n in range(4)], container="mpegts") for size in ((128, 96), (192, 160))]
    with open_film(write(tmp_path, b"".join(parts), "film.ts")) as one:
        sizes = {sample.rgb.shape[:2] for sample in one.frames(Sampling("frames", 1))}
    assert sizes == {(96, 128), (160, 192)}


@pytest.mark.parametrize(
    ("options", "sampling"),
    [
        ({"options": {"bf": "3", "g": "7", "preset": "medium"}}, Sampling("frames", 3)),
        ({"container": "matroska"}, Sampling("seconds", 0.4)),
        ({"container": "mpegts", "codec": "mpeg4"}, Sampling("scenes", 0.7)),
    ],
)
def test_the_same_samples_come_after_a_break(tmp_path: Path, options: dict, sampling: Sampling) -> None:
    path = write(tmp_path, film(30, **options))
    with open_film(path) as one:
        whole = list(one.frames(sampling))
        assert len(whole) > 4
        # By the timestamp, and by counting where that cannot be gone by.
        for place in (whole[2].position, replace(whole[-2].position, exact=False), whole[-1].position):
            again = list(one.frames(sampling, place))
            assert [sample.position for sample in again] == [s.position for s in whole[place.index + 1 :]]
            rest = zip(again, whole[place.index + 1 :], strict=True)
            assert all(np.array_equal(sample.rgb, other.rgb) for sample, other in rest)


def test_a_position_of_another_film_is_refused(tmp_path: Path) -> None:
    with open_film(write(tmp_path, film(5))) as one:
        for strange in (Position(9, 40, 4.0, 40960, True), Position(1, 2, 0.2, 77, True)):
            with pytest.raises(FilmError, match="has no frame"):
                one.frame(strange)


def test_two_series_at_once_are_refused(tmp_path: Path) -> None:
    with open_film(write(tmp_path, film(9))) as one:
        first = one.frames(Sampling("frames", 2))
        next(first)
        assert number_of(next(one.frames(Sampling("frames", 4))).rgb) == 0
        with pytest.raises(FilmError, match="open it once for each"):
            next(first)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"empty file \(0 bytes\)"),
        (sound_alone(), r"sound alone \(1 stream\)"),
        (b"\xff\xd8\xff\xe0" + bytes(99), "a picture"),
        (b"RIFF\0\0\0\0WAVEfmt ", "sound alone"),
        (bytes(5000), "another kind, or one whose beginning is missing"),
    ],
)
def test_what_is_no_film_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(FilmError, match=reason):
        opened(tmp_path, content)


def test_a_cover_is_no_film(tmp_path: Path) -> None:
    import av

    made = io.BytesIO()
    with av.open(made, "w", format="mp4") as file:
        cover = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        file.mux(cover.encode(av.VideoFrame.from_ndarray(picture(1, 64, 64))))
        file.mux(cover.encode())
    with pytest.raises(FilmError, match="attached picture, such as a cover"):
        opened(tmp_path, made.getvalue())


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.mp4", "no file"), (tmp_path, "a folder"), ("/dev/zero", "no regular file")):
        with pytest.raises(FilmError, match=reason), open_film(path):
            pass


def test_samplings_are_read_and_told() -> None:
    assert Sampling.parse("0.5s") == Sampling("seconds", 0.5)
    assert Sampling.parse(" 25 ") == Sampling("frames", 25)
    assert Sampling.parse("scenes:5s") == Sampling("scenes", 5) and Sampling.parse("scenes").every == 10
    assert (
        Sampling.parse("1").in_words() == "every frame" and Sampling("seconds", 2).in_words() == "one frame every 2 s"
    )
    for wrong in ("", "s", "0s", "-1", "1.5", "nans", "infs", "scenes:x", "hours:1"):
        with pytest.raises(InputError, match="Expected"):
            Sampling.parse(wrong)


def test_the_number_of_samples_is_foreseen(tmp_path: Path) -> None:
    path = write(tmp_path, film(25))
    with open_film(path) as one:
        for sampling in (
            Sampling("seconds", 0.3),
            Sampling("seconds", 1),
            Sampling("frames", 4),
            Sampling("frames", 5),
        ):
            assert sampling.expected(one.facts) == len(list(one.frames(sampling)))
        assert Sampling("scenes").expected(one.facts) is None


def test_facts_are_kept_as_plain_data(tmp_path: Path) -> None:
    facts = opened(tmp_path, film(3, hdr=True))
    assert FilmFacts.from_dict(facts.to_dict()) == facts


def test_importing_films_imports_neither_pyav_nor_tensorflow() -> None:
    code = "import sys, dfcore.films; print({'av', 'tensorflow', 'sqlalchemy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"dfcore\[films\]"), open_film(write(tmp_path, b"x")):
        pass


def test_frames_that_build_on_a_damaged_one_are_damaged_too_and_found_again_as_they_were(tmp_path: Path) -> None:
    content = bytearray(film(20))
    with av.open(io.BytesIO(bytes(content))) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
    keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
    packet = packets[keys[1]]
    middle = packet.pos + packet.size // 2
    content[middle : middle + 40] = b"\xff" * 40
    with open_film(write(tmp_path, bytes(content))) as one:
        samples = list(one.frames(Sampling("frames", 1)))
        assert one.ending is not None and one.ending.damaged and "damaged" in " ".join(one.ending.notes)
        damaged = [sample.position.frame for sample in samples if sample.damaged]
        assert damaged == list(range(keys[1], keys[2])), "up to the next key frame"
        assert [sample.position.exact for sample in samples] == [frame < keys[1] for frame in range(20)]
        for sample in samples:
            assert np.array_equal(one.frame(sample.position).rgb, sample.rgb)
