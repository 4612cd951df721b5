"""Folders of films are read as folders of images are: labels, splits, groups, and what is told."""

import json
from pathlib import Path

import pandas as pd
import pytest

from dfcore.cli import main
from dfcore.datasets import SplitPolicy, assign_splits, scan
from dfcore.datasets.dataset import COLUMNS, Dataset
from dfcore.datasets.films import FilmSet, holds_only_films, read_films
from dfcore.datasets.reading import Reading
from dfcore.errors import ClassesUnknown, ConventionUnknown, FilmsOnly, LayoutError
from dfcore.utils.files import sha256_bytes
from tests.conftest import make_image
from tests.made_film_sets import celeb_df, dfdc, face_forensics, put

FF = "manipulated_sequences/Deepfakes/c23/videos"


def by_path(films: FilmSet) -> dict[str, tuple]:
    return {film.path: (film.label, film.split, film.group, film.source) for film in films.usable}


def named(root: Path, *names: str) -> FilmSet:
    """A folder of empty files with names of films, as it is read."""
    return read_films(put(root, dict.fromkeys(names, b"")))


def drawn(films: FilmSet, seed: int) -> pd.DataFrame:
    """Its films as a table of two pictures each, with splits."""
    rows = [
        dict.fromkeys(COLUMNS)
        | {"path": f"{film.path}/{n}.png", "label": film.label, "split": film.split, "source_id": film.source,
           "sha256": sha256_bytes(f"{film.path} {n}".encode()), "film": film.path}
        for film in films.usable for n in range(2)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"label": "Int8", "split": "str", "error": "str"})
    return assign_splits(Dataset(films.root, "", table), SplitPolicy(seed=seed)).table


def test_face_forensics_with_its_lists_of_splits(tmp_path: Path) -> None:
    films = read_films(face_forensics(tmp_path))
    known = by_path(films)
    assert len(known) == 12 and not any("masks" in path for path in known)
    assert known["original_sequences/youtube/c23/videos/000.mp4"] == (0, "train", "youtube", "video 000")
    assert known[f"{FF}/001_000.mp4"] == (1, "train", "Deepfakes", "video 000")
    assert known[f"{FF}/003_002.mp4"][1::2] == ("validation", "video 002")
    assert known[f"{FF}/004_005.mp4"][1::2] == ("test", "video 004")
    assert films.doubts == () and any("masks" in one.path for one in films.left_out)
    assert not any(one.missed for one in films.left_out)
    told = " ".join(films.notes)
    assert "12 films come from 3 sources" in told and "image" not in told


def test_lists_that_part_persons_are_kept_and_told(tmp_path: Path) -> None:
    root = face_forensics(tmp_path, splits=False)
    (root / "train.json").write_text(json.dumps([["000", "001"], ["004", "003"]]))
    (root / "test.json").write_text(json.dumps([["002", "005"]]))
    films = read_films(root)
    known = by_path(films)
    assert known["original_sequences/youtube/c23/videos/002.mp4"][1] == "test"
    assert known["original_sequences/youtube/c23/videos/003.mp4"][1] == "train"
    assert known[f"{FF}/002_003.mp4"][1] is None
    told = " ".join(films.notes)
    assert "4 films were made of two videos that the lists put into different splits" in told
    assert "2 groups of films that belong together are parted" in told


def test_frames_of_face_forensics_get_the_splits_of_its_lists_too(tmp_path: Path) -> None:
    for name in ("original_sequences/000", "original_sequences/001", "manipulated_sequences/Deepfakes/000_001"):
        for n in range(2):
            make_image(tmp_path / name / f"{n:04d}.png", seed=hash(name) % 1000 + n)
    (tmp_path / "test.json").write_text(json.dumps([["000", "001"]]))
    data = scan(tmp_path)
    assert set(data.table.split) == {"test"} and data.table.source_id.nunique() == 1


def test_actors_of_deepfakedetection_are_persons(tmp_path: Path) -> None:
    films = named(
        tmp_path,
        *(f"original_sequences/actors/c23/videos/{n:02d}__{name}.mp4" for n in range(1, 9) for name in ("walk", "hug")),
        *(f"manipulated_sequences/DeepFakeDetection/c23/videos/{n:02d}_{n + 1:02d}__walk__ABCD{n:04d}.mp4"
          for n in range(1, 9, 2)),
    )  # fmt: skip
    known = by_path(films)
    sources = {Path(path).stem: values[3] for path, values in known.items()}
    assert sources["01__walk"] == sources["01__hug"] == sources["02__hug"] == sources["01_02__walk__ABCD0001"]
    assert sources["03__walk"] != sources["01__walk"] and len({*sources.values()}) == 4


def test_celeb_df_by_its_persons_and_its_list(tmp_path: Path) -> None:
    listed = {
        "Celeb-real/id0_0000.mp4": 1, "Celeb-synthesis/id0_id1_0000.mp4": 0, "YouTube-real/00000.mp4": 1,
        "YouTube-real/00009.mp4": 1,
    }  # fmt: skip
    films = read_films(celeb_df(tmp_path, testing=listed))
    known = by_path(films)
    assert known["Celeb-real/id0_0000.mp4"] == (0, "test", "Celeb", "person id0")
    assert known["Celeb-synthesis/id0_id1_0000.mp4"][:2] == (1, "test")
    assert known["Celeb-synthesis/id1_id0_0001.mp4"] == (1, "train", "Celeb", "person id0")
    assert known["Celeb-real/id3_0001.mp4"][3] == "person id2"
    assert known["YouTube-real/00002.mp4"][1::2] == ("train", "YouTube-real/00002.mp4")
    assert films.doubts == ()
    assert "names 4 videos for testing, of which 3 are here" in " ".join(films.notes)
    assert "such as that of person id0" in " ".join(films.notes)


def test_a_list_that_contradicts_the_folders_is_a_doubt(tmp_path: Path) -> None:
    films = read_films(celeb_df(tmp_path, testing={"Celeb-real/id0_0000.mp4": 0, "YouTube-real/00000.mp4": 1}))
    assert by_path(films)["Celeb-real/id0_0000.mp4"][0] == 0
    (doubt,) = films.doubts
    assert "1 of 2 labels (1 is real there) contradict the folders, such as that of Celeb-real/id0_0000.mp4" in doubt


def test_persons_that_all_hang_together_are_told_and_films_kept_together_instead(tmp_path: Path) -> None:
    films = named(
        tmp_path,
        *(f"Celeb-real/id{n}_000{k}.mp4" for n in range(6) for k in range(2)),
        *(f"Celeb-synthesis/id{n}_id{m}_000{k}.mp4" for n in range(6) for m in range(6) if n != m for k in range(2)),
    )
    assert len({film.source for film in films.usable}) == 12
    (doubt,) = films.doubts
    assert "a person may be in training and in test" in doubt


def test_dfdc_by_its_table(tmp_path: Path) -> None:
    films = read_films(dfdc(tmp_path))
    known = by_path(films)
    assert known["aaaaaaaaaa.mp4"] == (0, "train", None, "aaaaaaaaaa")
    assert known["eeeeeeeeee.mp4"] == (1, "train", None, "aaaaaaaaaa")
    assert len({values[3] for values in known.values()}) == 3
    (tmp_path / "aaaaaaaaaa.mp4").unlink()
    (gone,) = [film for film in read_films(tmp_path).films if film.reason]
    assert gone.path == "aaaaaaaaaa.mp4" and gone.reason == "There is no such file."


@pytest.mark.parametrize("make", [
    lambda root: read_films(face_forensics(root, videos=20, splits=False)),
    lambda root: read_films(celeb_df(root)),
    lambda root: named(root, *(f"{name}/{n}.mp4" for name in ("real", "fake") for n in range(20))),
])  # fmt: skip
def test_no_group_is_in_two_drawn_splits(make, tmp_path: Path) -> None:
    films = make(tmp_path)
    for seed in range(3):
        table = drawn(films, seed)
        assert set(table.split) == {"train", "validation", "test"}
        assert (table.groupby("source_id").split.nunique() == 1).all()
        assert (table.groupby("film").split.nunique() == 1).all()


def test_numbers_of_films_count_films(tmp_path: Path) -> None:
    films = named(tmp_path, *(f"{name}/video_{n:04d}.mp4" for name in ("real", "fake") for n in range(12)))
    assert len({film.source for film in films.usable}) == 24


def test_what_names_no_class_is_asked_for_and_can_be_said(tmp_path: Path) -> None:
    names = [f"{name}/{n}.mp4" for name in ("alpha", "beta") for n in range(2)]
    with pytest.raises(ClassesUnknown, match=r"Received: 4 films in alpha \(2\), beta \(2\)"):
        named(tmp_path, *names)
    films = read_films(tmp_path, reading=Reading(class_folders={"alpha": "real", "beta": "fake"}))
    assert [film.label for film in films.usable] == [0, 0, 1, 1]
    swapped = read_films(tmp_path, reading=Reading(class_folders={"alpha": "real", "beta": "fake"}, swapped=True))
    assert [film.label for film in swapped.usable] == [1, 1, 0, 0]


def test_numbers_in_a_table_are_asked_for(tmp_path: Path) -> None:
    put(tmp_path, {f"{n}.mp4": b"" for n in range(4)})
    (tmp_path / "labels.csv").write_text("video,label\n0.mp4,0\n1,1\n2.mp4,1\n3.mp4,0\n")
    with pytest.raises(ConventionUnknown, match="--labels"):
        read_films(tmp_path)
    films = read_films(tmp_path, reading=Reading(labels={"0": "fake", "1": "real"}))
    assert [film.label for film in films.usable] == [1, 0, 0, 1]


def test_folders_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="contradict each other for 2 of 4 films"):
        named(tmp_path, "real/fake/a.mp4", "real/real/b.mp4", "fake/real/c.mp4", "fake/fake/d.mp4")


def test_names_with_the_word_image_stay_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(ClassesUnknown, match=r"Received: 4 films in image \(1\), images_of \(1\), my-image \(1\), "
                       r"the image \(1\)") as error:  # fmt: skip
        named(tmp_path / "image set", "my-image/a.mp4", "image/b.mp4", "images_of/c.mp4", "the image/d.mp4")
    assert f"No folder in {tmp_path / 'image set'} names a class" in str(error.value)


def test_messages_of_a_folder_of_films_speak_of_films_and_quote_names_as_they_are(tmp_path: Path) -> None:
    names = [f"{name} image/{n}.mp4" for name in ("real", "fake") for n in range(2)]
    films = named(tmp_path / "one", *names, "fake image/masks/0.mp4")
    assert {one.folder for one in films.tree} == {"fake image", "real image"}
    assert {one.path: one.reason for one in films.left_out} == {
        "fake image/masks": "Masks: they show where a picture was changed and are nothing to judge.",
    }
    with pytest.raises(LayoutError, match="for 2 of 4 films, such as those in fake/real"):
        named(tmp_path / "two", *(f"{one}/{other}/a.mp4" for one in ("real", "fake") for other in ("real", "fake")))
    assert named(tmp_path / "lone", "fake/0.mp4").doubts[0].startswith("Every film that has a class is fake")
    put(tmp_path / "three", dict.fromkeys(["a.mp4", "b.mp4", "the image/c.mp4"], b""))
    (tmp_path / "three" / "the image.csv").write_text("image,label\na.mp4,real\nb.mp4,fake\n")
    tabled = read_films(tmp_path / "three")
    assert tabled.layout == "manifest (the image.csv; path in image)"
    assert [one.reason for one in tabled.left_out] == ["No row of the image.csv names this film."]


def test_a_folder_of_films_says_the_command(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = put(tmp_path / "my films", {"real/a.mp4": b"", "fake/b.mp4": b""})
    with pytest.raises(FilmsOnly, match="It holds 2 videos") as error:
        scan(root)
    assert error.value.command == f"dfcore data frames '{root}' '{root}-frames'"
    assert holds_only_films(root) and not holds_only_films(tmp_path / "none")
    make_image(root / "cover.png")
    assert not holds_only_films(root)
    assert main(["data", "scan", str(tmp_path / "my films" / "real")]) == 2
    assert "dfcore data frames" in capsys.readouterr().err


def test_a_column_names_the_film_of_a_frame(tmp_path: Path) -> None:
    for n in range(4):
        make_image(tmp_path / f"{n}.png", seed=n)
    lines = ["path,label,clip_id"] + [f"{n}.png,{'real' if n < 2 else 'fake'},c{n // 2}" for n in range(4)]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    data = scan(tmp_path)
    assert data.table.film.tolist() == ["c0", "c0", "c1", "c1"]
    other = scan(tmp_path, reading=Reading(columns={"film": "PATH"}))
    assert other.table.film.tolist() == [f"{n}.png" for n in range(4)]


def test_a_list_of_splits_with_lines_that_name_nothing_is_read_as_far_as_it_says_something(tmp_path: Path) -> None:
    root = put(tmp_path, {"real/0.mp4": b"", "real/1.mp4": b"", "fake/2.mp4": b""})
    (root / "List_of_testing_videos.txt").write_text("1 real\\0.mp4\n0 /\n1 .\n0 ..\n1 a/..\n0  \nnonsense\n")
    films = read_films(root)
    assert {film.path: film.split for film in films.films} == {
        "real/0.mp4": "test", "real/1.mp4": "train", "fake/2.mp4": None,
    }  # fmt: skip
    assert any("names 1 video for testing, of which 1 " in note for note in films.notes), films.notes
