"""Data sets as people have them: which folder or column names the class, the split, the group; and what is asked."""

import argparse
import itertools
import json
import os
import re
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfcore.cli import main
from dfcore.commands.reading import add_reading, reading_of
from dfcore.datasets import Reading, scan
from dfcore.datasets.layouts import Layout, place_all
from dfcore.datasets.masks import without_masks
from dfcore.datasets.reading import recall, remember
from dfcore.datasets.words import looks_like_split, parse_label, parse_split, read_name
from dfcore.errors import ConventionUnknown, LayoutError
from dfcore.training.request import check_request
from tests.conftest import make_image

REAL, FAKE = 0, 1


def spread(pattern: str) -> list[str]:
    """All names that a pattern stands for: {a,b}/c is a/c and b/c."""
    parts = re.split(r"\{([^{}]*)\}", pattern)
    choices = [part.split(",") if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(names) for names in itertools.product(*choices)]


def placed(*patterns: str, **said) -> dict[str, tuple]:
    """{folder: (label, split, group)}, from names alone."""
    folders = [folder for pattern in patterns for folder in spread(pattern)]
    layout = place_all([f"{folder}/{i}.png" for folder in folders for i in range(2)], **said)
    places = layout.places[::2]
    return {folder: (place.label, place.split, place.group) for folder, place in zip(folders, places, strict=True)}


def doubts(*patterns: str) -> str:
    return " ".join(understood(*patterns).doubts)


def understood(*patterns: str) -> Layout:
    return place_all([f"{folder}/{i}.png" for pattern in patterns for folder in spread(pattern) for i in range(2)])


def make(root, *patterns: str, **files: str) -> None:
    """Writes a small image for each name, each different, and text files by name (with __ for a dot)."""
    for name in (name for pattern in patterns for name in spread(pattern)):
        make_image(root / name, (4, 4), seed=zlib.crc32(name.encode()))
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text)


def labels(data) -> dict[str, int]:
    return dict(zip(data.usable.path, data.usable.label.astype(int), strict=True))


# === The level that names both classes decides ===

WRAPPERS = ["photos", "deepfake", "real", "Fake_Dataset", "nature/ai", "real_vs_fake", "original/photos"]
CLASSES = ["{real,fake}", "{REAL,FAKE}", "{nature,ai}", "{original,manipulated}", "{0_real,1_fake}", "{Human,AI}",
           "{Real Images,AI-generated images}", "{RealArt,AiArtData}", "{live,spoof}", "{Au,Tp}",
           "{realfaces,fakefaces}", "{authentic,synthetic}", "{training_real,training_fake}"]  # fmt: skip


@pytest.mark.parametrize("classes", CLASSES)
def test_folders_around_the_classes_do_not_name_one(classes):
    real, fake = spread(classes)
    for wrapper in ("", *(f"{wrapper}/" for wrapper in WRAPPERS)):
        result = placed(wrapper + classes)
        assert [result[wrapper + name][0] for name in (real, fake)] == [REAL, FAKE], wrapper


@pytest.mark.parametrize("subjects", ["nature,people", "photos,paintings", "gan,landscapes", "human,animal"])
@pytest.mark.parametrize("classes", ["ai,real", "real,fake", "original,manipulated"])
def test_subjects_around_the_classes_are_groups(subjects, classes):
    result = placed(f"{{{subjects}}}/{{{classes}}}")
    for folder, (label, split, group) in result.items():
        subject, name = folder.split("/")
        assert (label, split, group) == (parse_label(name), None, subject)


def test_the_same_level_elsewhere_decides_where_siblings_are_missing():
    assert placed("train/real", "test/fake") == {"train/real": (REAL, "train", None), "test/fake": (FAKE, "test", None)}
    result = placed("photos/ai", "people/{ai,nature}")
    assert [place[0] for place in result.values()] == [FAKE, FAKE, REAL]
    result = placed("{imagenet,laion}/0_real", "{dalle,ldm_100}/1_fake")
    assert [place[0] for place in result.values()] == [REAL, REAL, FAKE, FAKE]


CONTRADICTIONS = ["{real,fake}/{nature,ai}", "{ai,nature}/{real,fake}", "{real,fake}/{original,manipulated}",
                  "x/{photos,deepfake}/{train,test}/{real,fake}"]  # fmt: skip


@pytest.mark.parametrize("pattern", CONTRADICTIONS)
def test_two_levels_that_contradict_each_other_are_refused_with_both_readings(pattern):
    with pytest.raises(LayoutError) as caught:
        placed(pattern)
    text = str(caught.value)
    levels = [level.split(",") for level in re.findall(r"\{([^{}]*)\}", pattern) if "train" not in level]
    assert len(re.findall(r"Read with", text)) == 2
    assert all(name in text for level in levels for name in level)
    for choice in re.findall(r"--class-folders (\S+?)(?= or |\.$)", text):
        said = {name: key for key, name in (part.split("=") for part in choice.split(","))}
        assert {place[0] for place in placed(pattern, class_folders=said).values()} == {REAL, FAKE}


def test_two_levels_that_agree_are_read():
    result = placed("{real,fake}_{train,test}/{1,2}/{x}")
    assert set(result.values()) == {(label, split, None) for label in (REAL, FAKE) for split in ("train", "test")}
    assert placed("real/real_faces", "fake/fake_faces") == {
        "real/real_faces": (REAL, None, None), "fake/fake_faces": (FAKE, None, None)}  # fmt: skip


SIGNED = ["!real", "not_real", "non-fake", "no_fake", "unreal", "-1", "real?", "~fake", "notreal", "never fake",
          "-real", "almost_real", "isn't real", "fake!", "real_or_fake", "real/fake", "photoreal"]  # fmt: skip


@pytest.mark.parametrize("name", SIGNED)
def test_signs_and_negations_are_not_stripped(name):
    assert parse_label(name) is None
    assert read_name(name).label is None
    if "/" not in name:
        other = "fake" if "real" in name else "real"
        assert placed(f"{{{other},{name}}}")[name][0] is None


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=12), st.sampled_from(["real", "fake"]), st.booleans())
def test_a_class_word_in_any_text_never_means_its_opposite(text, word, before):
    name = text + word if before else word + text
    if "real" in text.lower() or "fake" in text.lower():
        return
    label = read_name(name).label
    assert label is None or label == (FAKE if word == "fake" else REAL)


def test_words_of_one_class_only_are_read_and_doubted():
    assert placed("real", "misc")["real"][0] == REAL
    assert "Every image that has a class is real" in doubts("real", "misc")
    assert doubts("{real,fake}") == ""


def test_words_that_are_often_subjects_name_no_class_alone():
    for pattern in ("{human,animal}", "{camera,phone}", "{live,studio}", "{transformer,lamp}", "{firefly,beetle}"):
        assert {place[0] for place in placed(pattern).values()} == {None}


def test_a_word_of_the_other_class_inside_a_class_is_doubted():
    assert "real/fake_smiles (2 images)" in doubts("real/fake_smiles", "fake/people")


# === Well-known data sets ===

KNOWN = {
    "FaceForensics++": (
        ["original_sequences/{youtube,actors}/c23/frames/{000,003}",
         "manipulated_sequences/{Deepfakes,Face2Face,FaceSwap,NeuralTextures,DeepFakeDetection}/c23/frames/000_003"],
        {"original_sequences/youtube/c23/frames/000": (REAL, None, "youtube"),
         "manipulated_sequences/Deepfakes/c23/frames/000_003": (FAKE, None, "Deepfakes"),
         "manipulated_sequences/Face2Face/c23/frames/000_003": (FAKE, None, "Face2Face")},
    ),
    "Celeb-DF": (
        ["{Celeb-real,YouTube-real,Celeb-synthesis}/id0_0001"],
        {"Celeb-real/id0_0001": (REAL, None, "Celeb"), "YouTube-real/id0_0001": (REAL, None, "YouTube"),
         "Celeb-synthesis/id0_0001": (FAKE, None, "Celeb")},
    ),
    "GenImage": (
        ["{BigGAN/imagenet_ai_0419_biggan,Midjourney/imagenet_midjourney}/{train,val}/{ai,nature}"],
        {"BigGAN/imagenet_ai_0419_biggan/train/ai": (FAKE, "train", "BigGAN"),
         "Midjourney/imagenet_midjourney/val/nature": (REAL, "validation", "Midjourney")},
    ),
    "ForenSynths, with trains among its subjects": (
        ["progan/{airplane,bus,train,cat}/{0_real,1_fake}", "{biggan,crn}/{0_real,1_fake}"],
        {"progan/train/0_real": (REAL, None, "progan/train"), "biggan/1_fake": (FAKE, None, "biggan")},
    ),
    "ForenSynths' training set": (
        ["{progan_train,progan_val}/{airplane,train,cat}/{0_real,1_fake}"],
        {"progan_train/cat/0_real": (REAL, "train", "progan/cat"), "progan_val/train/1_fake": (FAKE, "validation",
         "progan/train")},
    ),
    "140k faces": (
        ["real_vs_fake/real-vs-fake/{train,valid,test}/{real,fake}"],
        {"real_vs_fake/real-vs-fake/valid/fake": (FAKE, "validation", None)},
    ),
    "CIFAKE": (["{train,test}/{REAL,FAKE}"], {"test/REAL": (REAL, "test", None)}),
    "real and fake face detection": (
        ["real_and_fake_face/{training_real,training_fake}"],
        {"real_and_fake_face/training_fake": (FAKE, "train", None)},
    ),
    "WildDeepfake": (
        ["real_{train,test}/{1,2}/real/{12,13}", "fake_{train,test}/{1,2}/fake/{12,13}"],
        {"real_test/2/real/13": (REAL, "test", None), "fake_train/1/fake/12": (FAKE, "train", None)},
    ),
    "UniversalFakeDetect": (
        ["diffusion_datasets/{imagenet,laion}/0_real", "diffusion_datasets/{dalle,glide_50_27,guided}/1_fake"],
        {"diffusion_datasets/laion/0_real": (REAL, None, "laion"), "diffusion_datasets/guided/1_fake": (FAKE, None,
         "guided")},
    ),
    "DiffusionForensics, generators beside real": (
        ["images/{train,test}/lsun_bedroom/{real,adm,ddpm,iddpm}"],
        {"images/train/lsun_bedroom/real": (REAL, "train", None),
         "images/test/lsun_bedroom/adm": (FAKE, "test", "adm")},
    ),
    "DALL-E recognition": (["dataset/{fakeV2/fake-v2,real}"], {"dataset/real": (REAL, None, None)}),
    "AI against real art": (["{train,test}/{AiArtData,RealArt}"], {"test/RealArt": (REAL, "test", None)}),
    "DFDC parts": (["dfdc_train_part_{0,1}/{real,fake}"], {"dfdc_train_part_1/fake": (FAKE, "train",
                                                                                     "dfdc_part_1")}),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_well_known_data_sets(name):
    patterns, expected = KNOWN[name]
    result = placed(*patterns)
    assert {folder: result[folder] for folder in expected} == expected
    assert None not in {place[0] for place in result.values()}


def test_subjects_that_no_word_tells_are_mapped_by_the_user_with_wildcards():
    pattern = "{train,test}/{AI_LD_cubism,AI_SD_baroque,cubism,baroque}"
    assert {place[0] for place in placed(pattern).values()} == {None}
    result = placed(pattern, class_folders={"AI_*": "fake", "*": "real"})
    fakes = {folder for folder, place in result.items() if place[0] == FAKE}
    assert fakes == set(spread("{train,test}/{AI_LD_cubism,AI_SD_baroque}"))
    assert {place[1] for place in result.values()} == {"train", "test"}


# === Splits ===

SPLITS = [
    ("{training_set,test_set}/{real,fake}", ["train", "test"]),
    ("{train,eval}/{real,fake}", ["train", "validation"]),
    ("{train,val,eval}/{real,fake}", ["train", "validation", "test"]),
    ("{progan_train,progan_val}/{0_real,1_fake}", ["train", "validation"]),
    ("{real,fake}_{train,test}", ["train", "test"]),
    ("{train,test}{Real,Fake}", ["train", "test"]),
    ("{training,dev,hold-out}/{real,fake}", ["train", "validation", "test"]),
    ("{real,fake}/{TrainSet,ValidSet,TestSet}", ["train", "validation", "test"]),
    ("{train2017,val2017}/{real,fake}", ["train", "validation"]),
    ("{cats,dogs}_{training,testing}/{real,fake}", ["train", "test"]),
    ("{real,fake}.{trn,tst}", ["train", "test"]),
]


@pytest.mark.parametrize(("pattern", "splits"), SPLITS)
def test_splits_in_the_names_of_folders(pattern, splits):
    result = placed(pattern)
    assert sorted({place[1] for place in result.values()}) == sorted(splits)
    assert {place[0] for place in result.values()} == {REAL, FAKE}
    assert doubts(pattern) == ""


def test_a_generator_with_its_split_stays_the_group():
    result = placed("{progan,biggan}_{train,val}/{0_real,1_fake}")
    assert {place[2] for place in result.values()} == {"progan", "biggan"}


def test_training_folders_without_a_test_are_the_training_split():
    assert placed("{training_real,training_fake}") == {
        "training_real": (REAL, "train", None), "training_fake": (FAKE, "train", None)}  # fmt: skip


def test_that_there_is_no_test_is_told(tmp_path):
    make(tmp_path / "a", "{training_real,training_fake}/{1,2}.png")
    make(tmp_path / "b", "{training_real,training_fake,test_real,test_fake}/{1,2}.png")
    assert any("there is no test" in note for note in scan(tmp_path / "a").notes)
    assert scan(tmp_path / "b").notes == ()


@pytest.mark.parametrize("names", ["fold1,fold2", "part_a,part_b", "set1,set2", "split-0,split-1", "trainA,trainB"])
def test_likely_splits_are_told_before_they_are_taken_for_groups(names):
    assert all(name in doubts(f"{{{names}}}/{{real,fake}}") for name in names.split(","))
    assert all(map(looks_like_split, names.split(",")))


def test_a_split_among_folders_that_are_none_is_doubted():
    assert "progan_train" in doubts("{progan_train,stylegan,sdxl}/{real,fake}")
    result = placed("{airplane,bus,train}/{real,fake}")
    assert {place[1] for place in result.values()} == {None}
    assert "train: read as a subject" in doubts("{airplane,bus,train}/{real,fake}")


def test_splits_that_contradict_each_other_stay_held_out_and_are_doubted():
    result = placed("{train,test}/{real,fake}/{train,test}")
    assert result["train/real/test"][1] == "test"
    assert "two folders name different splits" in doubts("{train,test}/{real,fake}/{train,test}")


@pytest.mark.parametrize("text", ["test?", "!test", "not train", "train_test", "x", "real", "trainer"])
def test_what_is_no_split(text):
    assert parse_split(text) is None


# === Masks ===


def test_masks_beside_frames_are_left_out_and_told(tmp_path):
    make(tmp_path, "original_sequences/youtube/c23/frames/{000,003}/{0,1}.png",
         "manipulated_sequences/Deepfakes/c23/{frames,masks}/000_003/{0,1}.png")  # fmt: skip
    data = scan(tmp_path)
    assert len(data.usable) == 6
    (left,) = data.left_out
    assert (left.path, left.files) == ("manipulated_sequences/Deepfakes/c23/masks", 2)


@pytest.mark.parametrize("folder", ["masks", "Mask", "masks_resized", "GroundTruth", "gt", "binary_masks"])
def test_folders_of_masks(folder):
    kept, left = without_masks([f"{name}/{i}.png" for name in ("real", "fake", f"x/{folder}") for i in range(3)])
    assert len(kept) == 6
    assert [(one.path, one.files) for one in left] == [(f"x/{folder}", 3)]


@pytest.mark.parametrize("mask", ["1_mask", "1-mask", "mask_1", "1_gt", "1_mask_2"])
def test_files_of_masks(mask):
    kept, left = without_masks(["fake/1.png", f"fake/{mask}.png", "real/1.png"])
    assert kept == ["fake/1.png", "real/1.png"]
    assert left[0].files == 1


@pytest.mark.parametrize("path", ["masks/{real,fake}/1.png", "{masks,hats}/{real,fake}/1.png", "real/{no_mask,x}/1.png",
                                  "{real,fake}/face_mask_{1,2}.png", "masks/1.png"])  # fmt: skip
def test_what_only_sounds_like_a_mask_stays(path):
    assert without_masks(spread(path)) == (spread(path), [])


# === Tables ===

FOUR = "images/{1,2,3,4}.png"
WANTED = {"images/1.png": REAL, "images/2.png": FAKE, "images/3.png": REAL, "images/4.png": FAKE}


def rows(header: str, *lines: str) -> str:
    return "\n".join([header, *lines]) + "\n"


def numbered(form: str, real: str = "real", fake: str = "fake") -> list[str]:
    """One line for each of the four images."""
    return [form.format(i=i, label=real if i % 2 else fake) for i in range(1, 5)]


TABLES = {
    "manifest.csv": rows("path,label", *numbered("images/{i}.png,{label}")),
    "MANIFEST.CSV": rows("Path,LABEL", *numbered("images/{i}.png,{label}")),
    "semicolons.csv": rows("filename;label", *numbered("{i}.png;{label}")),
    "tabs.tsv": rows("image_path\tclass", *numbered("./images/{i}.png\t{label}")),
    "bars.csv": rows("id|target|note", *numbered("{i}|{label}|a, b; c")),
    "Labels.CSV": rows("File Name,Label Str", *numbered("{i}.png,{label}")),
    "labels.jsonl": "\n".join(numbered('{{"file_name": "images/{i}.png", "label": "{label}"}}')),
    "list.json": json.dumps([{"img": f"{i}.png", "y": "real" if i % 2 else "fake"} for i in range(1, 5)]),
    "map.json": json.dumps({f"{i}.png": "real" if i % 2 else "fake" for i in range(1, 5)}),
    "columns.json": json.dumps({"path": [f"images/{i}.png" for i in range(1, 5)], "label": ["real", "fake"] * 2}),
    "entries.json": json.dumps({"info": "x", "images": [{"file_name": f"{i}.png", "label": "real" if i % 2 else "fake"}
                                                        for i in range(1, 5)]}),
    "own_name.csv": rows("filepath,label", *numbered("set/images/{i}.png,{label}")),
    "absolute.csv": rows("image,label", *numbered("/kaggle/input/some/images/{i}.png,{label}")),
    "windows.csv": rows("path,label", *numbered("D:\\data\\images\\{i}.png,{label}")),
    "headerless.csv": rows(*numbered("images/{i}.png,{label}")),
    "foreign column.csv": rows("Bild,label", *numbered("images/{i}.png,{label}")),
    "is_fake.csv": rows("path,is_fake", *numbered("images/{i}.png,{label}", "0", "1")),
    "is_real.csv": rows("path,is_real", *numbered("images/{i}.png,{label}", "True", "False")),
    "signed.csv": rows("path,real", *numbered("images/{i}.png,{label}", "1", "-1")),
    "one_hot.csv": rows("path,fake,real", *(f"images/{i}.png,{1 - i % 2},{i % 2}" for i in range(1, 5))),
    "confirmed.csv": rows("path,label,label_str", *(f"images/{i}.png,{i % 2},{'real' if i % 2 else 'fake'}"
                                                    for i in range(1, 5))),
    "generators.csv": rows("path,generator", *numbered("images/{i}.png,{label}", "real", "sdxl")),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("folder", ["", "wrapped/twice"])
def test_tables_in_many_forms(tmp_path, name, folder):
    root = tmp_path / "set"
    place = root / folder
    make(place, FOUR)
    (place / name).write_text(TABLES[name])
    data = scan(root)
    assert {path.removeprefix(f"{folder}/"): label for path, label in labels(data).items()} == WANTED
    assert name in data.layout
    assert data.doubts == () or name == "generators.csv"


def test_a_table_in_utf_16_with_a_mark(tmp_path):
    make(tmp_path, FOUR)
    (tmp_path / "labels.csv").write_bytes(TABLES["manifest.csv"].encode("utf-16"))
    assert labels(scan(tmp_path)) == WANTED


def test_hugging_face_folders_with_a_table_in_each_split(tmp_path):
    make(tmp_path, "{train,test}/{a,b}.png")
    (tmp_path / "train" / "metadata.csv").write_text("file_name,label\na.png,real\nb.png,fake\n")
    lines = [{"file_name": "a.png", "label": "fake"}, {"file_name": "b.png", "label": "real"}]
    (tmp_path / "test" / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = scan(tmp_path)
    assert labels(data) == {"train/a.png": REAL, "train/b.png": FAKE, "test/a.png": FAKE, "test/b.png": REAL}
    assert set(zip(data.usable.path.str.split("/").str[0], data.usable.split, strict=True)) == {
        ("train", "train"), ("test", "test")}  # fmt: skip


def test_several_tables_are_splits_by_their_names(tmp_path):
    tables = {f"{name}__csv": f"id,label\n{2 * i},real\n{2 * i + 1},fake\n"
              for i, name in enumerate(("train", "valid", "test"))}  # fmt: skip
    make(tmp_path, "img/{0,1,2,3,4,5}.png", **tables)
    data = scan(tmp_path)
    splits = dict(zip(data.usable.path, data.usable.split, strict=True))
    assert splits == {f"img/{i}.png": ("train", "validation", "test")[i // 2] for i in range(6)}


def test_dfdc_metadata_labels_the_frames_of_its_videos(tmp_path):
    make(tmp_path, "faces/{aaaaaaaaaa,bbbbbbbbbb}/{0,1}.png", "faces/cccccccccc_12.png")
    videos = {
        "aaaaaaaaaa.mp4": {"label": "REAL", "split": "train"},
        "bbbbbbbbbb.mp4": {"label": "FAKE", "split": "train", "original": "aaaaaaaaaa.mp4"},
        "cccccccccc.mp4": {"label": "FAKE", "split": "train", "original": "aaaaaaaaaa.mp4"},
        "dddddddddd.mp4": {"label": "REAL", "split": "train"},
    }
    (tmp_path / "metadata.json").write_text(json.dumps(videos))
    data = scan(tmp_path)
    assert {path: label for path, label in labels(data).items() if label == REAL} == dict.fromkeys(
        spread("faces/aaaaaaaaaa/{0,1}.png"), REAL
    )
    assert len(data.usable) == 5
    assert set(data.usable.source_id) == {"aaaaaaaaaa"}, "a fake stays with its original"
    assert data.unreadable.path.tolist() == ["dddddddddd.mp4"]


def test_images_of_a_table_without_labels_are_unlabelled_beside_one_with_labels(tmp_path):
    make(tmp_path, "train/{1,2}.png", "test/{3,4}.png", train__csv="id,label\n1,real\n2,fake\n", test__csv="id\n3\n4\n")
    data = scan(tmp_path)
    assert labels(data) == {"train/1.png": REAL, "train/2.png": FAKE}
    assert data.table[data.table.split == "unlabelled"].path.tolist() == ["test/3.png", "test/4.png"]
    assert data.unreadable.empty


@pytest.mark.parametrize("text", ["file,md5\nreal/0.png,0\n", "path,label\nelse/9.png,real\nelse/8.png,fake\n",
                                  "a,b\n1,2\n", "filename,category\nreal/0.png,7\nreal/1.png,8\nfake/0.png,7\n"
                                  "fake/1.png,8\n", "\x00\x01"])  # fmt: skip
def test_a_foreign_table_does_not_block_a_sound_layout_and_is_told(tmp_path, text):
    make(tmp_path, "{real,fake}/{0,1}.png", manifest__csv=text)
    data = scan(tmp_path)
    assert labels(data) == {path: parse_label(path.split("/")[0]) for path in spread("{real,fake}/{0,1}.png")}
    assert any("manifest.csv" in note for note in data.notes)


def test_an_example_of_an_answer_is_no_table_of_labels(tmp_path):
    make(tmp_path, "{real,fake}/{0,1}.png", sample_submission__csv="path,label\n" + "".join(
        f"{path},real\n" for path in spread("{real,fake}/{0,1}.png")))  # fmt: skip
    assert set(labels(scan(tmp_path)).values()) == {REAL, FAKE}


def test_images_that_no_row_names_are_counted(tmp_path):
    make(
        tmp_path, FOUR, "more/{1,2}.png", m__csv="path,label\nimages/1.png,real\nimages/2.png,fake\nimages/9.png,real\n"
    )
    data = scan(tmp_path)
    assert {one.path: one.files for one in data.left_out} == {"images": 2, "more": 2}
    assert "There is no file" in data.unreadable.error.item()


def test_a_name_that_fits_several_files_is_a_row_with_its_reason(tmp_path):
    make(tmp_path, "{x,y}/1.png", "y/{2,3}.png", m__csv="path,label\n1.png,real\n2.png,fake\n3.png,real\n")
    data = scan(tmp_path)
    assert labels(data) == {"y/2.png": FAKE, "y/3.png": REAL}
    assert "fits 2 files" in data.unreadable.error.item()


def test_rows_of_one_image(tmp_path):
    lines = ("1.png,real", "1.png,real", "2.png,fake", "3.png,real", "3.png,fake")
    make(tmp_path, FOUR, m__csv=rows("path,label", *(f"images/{line}" for line in lines)))
    data = scan(tmp_path)
    assert labels(data) == {"images/1.png": REAL, "images/2.png": FAKE}
    assert sorted(data.unreadable.error.str[:15]) == ["An earlier row ", *["Its rows contra"] * 2]


def test_a_table_without_labels_adds_splits_and_sources_to_the_folders(tmp_path):
    make(tmp_path, "{real,fake}/{1,2}.png", s__csv="path,split,video\nreal/1.png,train,v1\nfake/1.png,train,v1\n"
         "real/2.png,test,v2\nfake/2.png,test,v2\n")  # fmt: skip
    usable = scan(tmp_path).usable.set_index("path")
    assert usable.split["fake/2.png"] == "test"
    assert usable.source_id["fake/2.png"] == usable.source_id["real/2.png"] == "v2"
    assert usable.label["real/2.png"] == REAL


def test_many_small_groups_are_sources_and_few_large_ones_are_not(tmp_path):
    names = [f"{i}.png" for i in range(20)]
    for count, expected in ((10, 10), (4, 0)):
        root = tmp_path / str(count)
        lines = [f"{name},{'real' if i % 2 else 'fake'},g{i // 2 % count}" for i, name in enumerate(names)]
        make(root, *names, m__csv=rows("path,label,group", *lines))
        data = scan(root)
        assert data.usable.source_id.nunique() == expected
        assert any("stay in one split" in note for note in data.notes) == bool(expected)


def test_a_column_that_looks_like_a_split_but_is_none_is_doubted(tmp_path):
    make(tmp_path, FOUR, m__csv=rows("path,label,fold", *(f"{line},{i % 2}" for i, line in enumerate(
        numbered("images/{i}.png,{label}")))))  # fmt: skip
    (doubt,) = scan(tmp_path).doubts
    assert "fold (0, 1) looks like a split" in doubt


# === Numbers are never taken on trust ===

NUMBERS = [("0", "1"), ("1", "0"), ("-1", "1"), ("1", "-1"), ("False", "True"), ("0.0", "1.0"), ("1", "2"),
           ("yes", "no"), ("A", "B")]  # fmt: skip


@pytest.mark.parametrize(("real", "fake"), NUMBERS)
def test_what_nothing_confirms_is_asked_for(tmp_path, real, fake):
    make(tmp_path, FOUR, m__csv=rows("path,label", *numbered("images/{i}.png,{label}", real, fake)))
    with pytest.raises(ConventionUnknown, match=r"column label.*2 rows, e.g. images/.*--labels real=") as caught:
        scan(tmp_path)
    assert caught.value.column == "label"
    assert {count for count, _ in caught.value.values.values()} == {2}
    assert labels(scan(tmp_path, reading=Reading(labels={real: "real", fake: "fake"}))) == WANTED


@pytest.mark.parametrize(("real", "fake"), NUMBERS)
@pytest.mark.parametrize("place", ["{label}/{i}.png", "x/{label}_{i}.png", "deep/{label}_images/y/{i}.png"])
def test_the_words_of_paths_confirm_what_a_value_means(tmp_path, real, fake, place):
    paths = [place.format(i=i, label=label) for i in range(3) for label in ("real", "fake")]
    make(tmp_path, *paths, train__csv=rows("path,label", *(f"{p},{real if 'real' in p else fake}" for p in paths)))
    data = scan(tmp_path)
    assert labels(data) == {path: REAL if "real" in path else FAKE for path in paths}
    assert any("the words in the paths confirm it" in note for note in data.notes)
    assert data.doubts == ()


@pytest.mark.parametrize("kind", ["paths", "words", "name"])
def test_a_confirmation_that_contradicts_itself_is_refused_with_both_readings(tmp_path, kind):
    paths = spread("x/{real,fake}/{1,2}.png") if kind == "paths" else spread("x/y/{1,2,3,4}.png")
    header, ends = {
        "paths": ("path,label", ["0", "1", "0", "1"]),
        "words": ("path,label,label_str", ["0,real", "0,fake", "1,real", "1,fake"]),
        "name": ("path,is_fake,class", ["1,real", "1,real", "0,fake", "0,fake"]),
    }[kind]
    make(tmp_path, *paths, m__csv=rows(header, *map(",".join, zip(paths, ends, strict=True))))
    with pytest.raises(LayoutError, match=r"contradict each other.*real.*fake.*--labels"):
        scan(tmp_path)


def test_a_wrapping_folder_confirms_nothing(tmp_path):
    make(tmp_path, "photos/{1,2}.png", m__csv="path,label\nphotos/1.png,0\nphotos/2.png,1\n")
    with pytest.raises(ConventionUnknown):
        scan(tmp_path)


def test_a_few_labels_that_contradict_the_folders_are_doubted(tmp_path):
    paths = spread("{real,fake}/{0,1,2,3,4,5,6,7,8,9,a,b}.png")
    wrong = {"real/3.png"}
    for number, text in enumerate(("real,fake", "1,0")):
        real, fake = text.split(",")
        lines = [f"{path},{real if path.startswith('real') != (path in wrong) else fake}" for path in paths]
        make(tmp_path / str(number), *paths, m__csv=rows("path,label", *lines))
        data = scan(tmp_path / str(number))
        assert labels(data)["real/3.png"] == FAKE
        assert any("1 of 24 labels" in doubt for doubt in data.doubts)


def test_words_that_are_the_opposite_of_all_folders_are_refused(tmp_path):
    paths = spread("{real,fake}/{0,1,2}.png")
    lines = [f"{path},{'fake' if path.startswith('real') else 'real'}" for path in paths]
    make(tmp_path, *paths, m__csv=rows("path,label", *lines))
    with pytest.raises(LayoutError, match="contradict each other in 6 of 6 rows"):
        scan(tmp_path)
    assert labels(scan(tmp_path, reading=Reading(class_folders={"real": "real", "fake": "fake"})))["real/0.png"] == REAL


def test_values_that_were_not_explained_are_rows_with_their_reason(tmp_path):
    make(tmp_path, FOUR, m__csv="path,label\nimages/1.png,0\nimages/2.png,1\nimages/3.png,\nimages/4.png,2\n")
    data = scan(tmp_path, reading=Reading(labels={"0": "real", "1": "fake"}))
    assert labels(data) == {"images/1.png": REAL, "images/2.png": FAKE}
    assert all("in the column label" in error for error in data.unreadable.error)
    with pytest.raises(LayoutError, match=r"given: x \(real\).*Received: '0' in 1 rows"):
        scan(tmp_path, reading=Reading(labels={"x": "real"}))


# === What a user says ===


def test_a_reading_is_remembered_for_its_folder_and_told(tmp_path):
    make(tmp_path, "{a,b}/{1,2}.png")
    with pytest.raises(LayoutError, match="--class-folders"):
        scan(tmp_path)
    remember(tmp_path, Reading(class_folders={"a": "real", "b": "fake"}))
    data = scan(tmp_path)
    assert labels(data)["b/1.png"] == FAKE
    assert any("a is real, b is fake" in note for note in data.notes)
    remember(tmp_path, Reading())
    assert recall(tmp_path) == Reading()
    with pytest.raises(LayoutError):
        scan(tmp_path)


def test_turned_around(tmp_path):
    make(tmp_path, "{real,fake}/{1,2}.png")
    data = scan(tmp_path, reading=Reading(swapped=True))
    assert labels(data)["real/1.png"] == FAKE
    assert {(folder.folder, folder.label) for folder in data.tree} == {("real", FAKE), ("fake", REAL)}
    assert any("turned around" in note for note in data.notes)


def test_groups_by_a_pattern(tmp_path):
    make(tmp_path, "{real,fake}/{7,8}_{1,2}.png")
    data = scan(tmp_path, reading=Reading(groups=r"/(\d+)_"))
    assert set(data.usable.source_id) == {"7", "8"}
    with pytest.raises(LayoutError, match="regular expression"):
        scan(tmp_path, reading=Reading(groups="("))


def test_columns_and_values_that_are_not_known(tmp_path):
    root, lines = tmp_path / "set", numbered("images/{i}.png,{label}", "echt", "falsch")
    make(root, FOUR, t__csv=rows("Bild,Klasse", *lines))
    with pytest.raises(LayoutError, match="--columns path=…,label=…"):
        scan(root)
    said = Reading(columns={"path": "Bild", "label": "klasse"}, labels={"echt": "real", "falsch": "fake"})
    assert labels(scan(root, reading=said)) == WANTED
    with pytest.raises(LayoutError, match="Expected the column Art for label"):
        scan(root, reading=Reading(columns={"path": "Bild", "label": "Art"}))


def test_excluded_images_are_rows_with_their_reason(tmp_path):
    make(tmp_path, "{real,fake}/{1,2}.png")
    pixels = scan(tmp_path).table.set_index("path").pixels_sha256["real/1.png"]
    data = scan(tmp_path, reading=Reading(excluded=(pixels,)))
    assert data.unreadable.path.tolist() == ["real/1.png"]
    assert (tmp_path / "real/1.png").exists()


# === On the command line ===


@pytest.fixture
def dfcore(capsys):
    """Runs a command; returns exit code, output and error output."""

    def run(*arguments) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_choices_on_the_command_line_are_remembered_until_they_are_forgotten(tmp_path, dfcore):
    root = tmp_path / "set"
    make(root, FOUR, "deep/{1,2}.png", m__csv=rows("path,label", *numbered("images/{i}.png,{label}", "1", "-1")))
    code, _, error = dfcore("data", "scan", root)
    assert code == 2 and "column label" in error and "--labels" in error
    code, out, error = dfcore(
        "data", "scan", root, "--labels", "real=1,fake=-1", "--groups", r"(\d)", "--swap", "--json"
    )
    assert code == 3 and "remembered" in error
    data = json.loads(out)
    assert data["reading"]["labels"] == {"1": "real", "-1": "fake"}
    assert {folder["label"]: folder["images"] for folder in data["tree"]} == {"real": 2, "fake": 2}
    assert {path: 1 - label for path, label in WANTED.items()} == labels(scan(root))
    assert data["left_out"] == [
        {"path": "deep", "reason": "No row of m.csv names these images.", "files": 2, "missed": True}
    ]
    assert labels(scan(root, reading=Reading(labels={"1": "real", "-1": "fake"}))) == WANTED
    assert dfcore("data", "scan", root, "--no-swap")[0] == 3
    assert labels(scan(root)) == WANTED
    assert dfcore("data", "scan", root, "--forget-reading")[0] == 2, "nothing tells what 1 and -1 mean"
    assert labels(scan(root)) == WANTED, "what leads to no data set is not remembered"


@pytest.mark.parametrize(("option", "text"), [("--labels", "real"), ("--labels", "true=1"), ("--columns", "colour=x"),
                                              ("--class-folders", "=a"), ("--groups", "(")])  # fmt: skip
def test_choices_that_cannot_be_read(tmp_path, dfcore, option, text):
    make(tmp_path / "set", "{real,fake}/1.png")
    code, out, error = dfcore("data", "scan", tmp_path / "set", option, text)
    assert (code, out) == (2, "")
    assert re.search(f"Expected {option}|regular expression", error)
    assert recall(tmp_path / "set") == Reading()


def test_values_and_folders_with_commas_signs_and_several_names():
    parser = argparse.ArgumentParser()
    add_reading(parser)
    options = parser.parse_args(
        ["--labels", "real=a,b,fake=c=d+e", "--class-folders", "real=x+y", "--class-folders", "fake=z*",
         "--columns", "path=File name,source=Clip"])  # fmt: skip
    assert reading_of(options) == Reading(
        labels={"a,b": "real", "c=d": "fake", "e": "fake"},
        class_folders={"x": "real", "y": "real", "z*": "fake"},
        columns={"path": "File name", "source": "Clip"},
    )


def test_the_scan_prints_what_was_understood_and_what_is_in_doubt(tmp_path, dfcore):
    root = tmp_path / "set"
    make(root, "fold{1,2}/{real,fake}/{1,2}.png", "real/masks/1.png")
    _, out, _ = dfcore("data", "scan", root)
    for text in (r"fold1/fake +fake +to be drawn +fold1 +2 +1\.png, 2\.png", r"real/masks \(1\): Masks",
                 "Doubt: fold1, fold2: these look like parts of a split", "Nobody has confirmed"):  # fmt: skip
        assert re.search(text, out), out
    _, out, _ = dfcore("data", "scan", root, "--confirm")
    assert "Nobody has confirmed" not in out
    assert "confirmed it" in dfcore("data", "scan", root)[1]
    dfcore("data", "scan", root, "--swap")
    assert not recall(root).confirmed, "another reading is to be looked at again"


def test_training_tells_doubts_that_nobody_has_confirmed(tmp_path):
    make(tmp_path / "set", "fold{1,2}/{real,fake}/{" + ",".join("abcdefghijkl") + "}.png")
    asked = {"data_root": str(tmp_path / "set"), "arch": "cnn", "image_size": 32}
    notes: list[str] = []
    check_request(asked, note=notes.append)
    assert any("fold1, fold2" in note for note in notes)
    remember(tmp_path / "set", Reading(confirmed=True))
    check_request(asked, note=(again := []).append)
    assert again == []


# === What was understood ===


def test_the_tree_counts_every_row_and_shows_samples(tmp_path):
    make(tmp_path, "{train,test}/{real,fake}/{1,2,3,4,5}.png", "train/misc/1.png")
    data = scan(tmp_path)
    assert sum(folder.images for folder in data.tree) == len(data.table) == 21
    by_folder = {folder.folder: folder for folder in data.tree}
    fake = by_folder["test/fake"]
    assert (fake.label, fake.split, fake.images) == (FAKE, "test", 5)
    assert fake.samples == ("test/fake/1.png", "test/fake/3.png", "test/fake/5.png")
    assert by_folder["train/misc"].label is None


@pytest.mark.parametrize("kind", ["format", "size", "quality"])
def test_facts_that_tell_the_classes_apart_are_doubted(tmp_path, kind):
    for i in range(10):
        for label in ("real", "fake"):
            real = label == "real"
            suffix = ".jpg" if kind == "quality" or (kind == "format" and real) else ".png"
            side = 12 if kind == "size" and real else 8
            quality = {"quality": 95 if real else 60} if kind == "quality" else {}
            make_image(tmp_path / label / f"{i}{suffix}", (side, 8), seed=2 * i + real, **quality)
    words = {"format": "The file format", "size": "The size in pixels", "quality": "The JPEG quality"}
    (doubt,) = scan(tmp_path).doubts
    assert doubt.startswith(f"{words[kind]} tells the classes apart")
    if kind == "format":
        assert "(100% of the real images are JPEG, 100% of the fake images are PNG)" in doubt


def test_a_class_of_many_sizes_is_told_as_such(tmp_path):
    for i in range(10):
        make_image(tmp_path / "real" / f"{i}.png", (20 + i, 8), seed=i)
        make_image(tmp_path / "fake" / f"{i}.png", (16, 16), seed=50 + i)
    assert "(the real images come in 10 sizes, 100% of the fake images are 16 x 16)" in scan(tmp_path).doubts[0]


def test_a_list_of_paths_in_text_is_told(tmp_path, dfcore):
    make(tmp_path, "real/{1,2,3}.png", "fake/{1,2,3}.png")
    (tmp_path / "README.txt").write_text("Six pictures.\n")
    (tmp_path / "List_of_testing_videos.txt").write_text("1 real/1.png\n0 fake/1.png\n")
    doubts = [doubt for doubt in scan(tmp_path).doubts if "is a list of these images" in doubt]
    assert len(doubts) == 1
    assert doubts[0].startswith("List_of_testing_videos.txt")
    with pytest.raises(LayoutError, match="make a CSV of it"):
        scan(tmp_path / "List_of_testing_videos.txt")


def test_what_was_confirmed_no_longer_is_when_the_data_change(tmp_path, dfcore):
    root = tmp_path / "set"
    make(root, "fold{1,2}/{real,fake}/{1,2,3}.png")
    dfcore("data", "scan", root, "--confirm")
    assert scan(root).reading.confirmed
    taken = scan(root).table.pixels_sha256[:1].tolist()
    remember(root, recall(root).model_copy(update={"excluded": tuple(taken)}))
    assert scan(root).reading.confirmed, "taking images out of use changes no file"
    make_image(root / "fold1" / "real" / "new.png", (8, 8), seed=99)
    changed = scan(root)
    assert not changed.reading.confirmed
    assert "have changed since this was confirmed" in changed.doubts[-1]
    dfcore("data", "scan", root, "--confirm")
    assert scan(root).reading.confirmed


def test_facts_that_both_classes_share_are_not_doubted(tmp_path):
    for i in range(10):
        for label in ("real", "fake"):
            suffix, size = (".jpg", ".png")[i % 2], (8 + i % 3, 8)
            make_image(tmp_path / label / f"{i}{suffix}", size, seed=zlib.crc32(f"{label}{i}".encode()))
    assert scan(tmp_path).doubts == ()


# === The cases in ../shared ===

CASES = {
    "subjects": (20, 20), "photos_wrapper": (4, 4), "deepfake_wrapper": (4, 4), "kaggle140k": (4, 4),
    "split_names": (20, 20), "wrapped_manifest": (1, 1), "upper_manifest": (1, 1), "foreign_manifest": (4, 4),
    "video_frames": (24, 12), "jpeg_against_png": (40, 40),
}  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize("name", CASES)
def test_the_cases(shared, name):
    data = scan(shared / "cases" / name)
    assert ((data.usable.label == REAL).sum(), (data.usable.label == FAKE).sum()) == CASES[name]
    words = data.usable.path.str.contains("real|original|nature/(?!ai|real)|a.png")
    if name not in ("photos_wrapper", "deepfake_wrapper"):
        assert (words == (data.usable.label == REAL)).all()


@pytest.mark.shared
def test_the_cases_say_what_they_should(shared):
    cases = shared / "cases"
    assert set(scan(cases / "subjects").usable.group) == {"nature", "people"}
    assert set(scan(cases / "split_names").usable.split) == {"train", "test"}
    assert any("masks" in left.path and left.files == 12 for left in scan(cases / "video_frames").left_out)
    assert any("manifest.csv" in note for note in scan(cases / "foreign_manifest").notes)
    assert any("JPEG" in doubt and "PNG" in doubt for doubt in scan(cases / "jpeg_against_png").doubts)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "values"), [("minus_one", ["'-1'", "'1'"]), ("true_false", ["'false'", "'true'"])])
def test_the_cases_that_are_asked_for(shared, name, values):
    with pytest.raises(ConventionUnknown, match="column label") as caught:
        scan(shared / "cases" / name)
    assert all(value in str(caught.value) for value in values)


@pytest.mark.parametrize(
    "table",
    ["[{}]", "path,label\n../1.png,real\n../2.png,fake\n", "path,label\n1.png,real\n2.png,fake\n",
     "path,label\n../1.png,-1\n../2.png,1\n"],
    ids=["no table", "leads out", "leads to images beside it", "unknown labels"],
)  # fmt: skip
def test_a_table_in_a_folder_that_is_not_utf_8_is_told_in_words_that_are(table, tmp_path):
    odd = tmp_path / os.fsdecode(b"\x80")
    odd.mkdir()
    for folder in (tmp_path, tmp_path / "real", odd):
        make_image(folder / "1.png", seed=1)
        make_image(folder / "2.png", seed=2)
    (odd / ("t.json" if table.startswith("[") else "t.csv")).write_text(table)
    try:
        data = scan(tmp_path)
    except LayoutError as error:
        told = [str(error)]
    else:
        told = [*data.notes, *data.doubts, data.layout, *data.table.path, *(str(one) for one in data.left_out)]
    "\n".join(told).encode()
    assert any("\\udc80/t." in text for text in told)
