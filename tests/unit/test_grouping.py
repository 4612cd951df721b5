"""What belongs together by its name, and what only looks as if it did."""

import pytest

from dfcore.datasets.grouping import OFF, sources
from dfcore.errors import LayoutError


def groups(paths, pattern: str = "") -> set[frozenset[str]]:
    """The sets of paths that have one source; lone ones left out."""
    found, _ = sources(paths, pattern)
    return {
        frozenset(path for path, other in zip(paths, found, strict=True) if other == source)
        for source in found
        if source is not None
    }


def grid(template: str, outer: int, inner: int) -> list[list[str]]:
    return [[template.format(a=a, b=b) for b in range(inner)] for a in range(outer)]


TOGETHER = {
    "folders of frames": grid("fake/video_{a:02d}/{b:04d}.png", 6, 5),
    "folders of frames below splits": grid("train/real/clip-{a}/frame_{b:03d}.jpg", 7, 4),
    "folders with identifiers": [
        [f"fake/{name}/{b}.png" for b in range(4)]
        for name in ("aaqaifqrwn", "bbqaifqrwm", "ccqaifqrwz", "ddeaifqrwy", "eexaifqrwx")
    ],
    "frames by name": grid("fake/talk{a}_frame{b:04d}.jpg", 3, 6),
    "crops of faces": grid("real/IMG_{a}_face{b}.png", 9, 3),
    "copies": [[f"real/holiday {a}.jpg", f"real/holiday {a} (1).jpg", f"real/holiday {a} - copy.jpg"] for a in "abcde"],
    "qualities": [[f"real/p{a}_q{q}.jpg" for q in (30, 75, 95)] for a in range(12)],
    "letters": [[f"fake/{a}_a.png", f"fake/{a}_b.png"] for a in range(20)],
    "series of videos": grid("fake/talkshow{a}x_{b:04d}.png", 8, 6),
    "Celeb-DF": [
        [f"Celeb-real/id{a}_0001/0.png", f"Celeb-real/id{a}_0001/1.png", f"Celeb-synthesis/id{a}_id9_0001/0.png"]
        for a in range(6)
    ],
    "FaceForensics++": [
        ["original/000/1.png", "original/003/1.png", "Deepfakes/000_003/1.png", "Deepfakes/003_000/1.png"],
        ["original/010/1.png", "original/020/1.png", "Deepfakes/010_020/1.png", "Face2Face/020_010/1.png"],
    ],
    "FaceForensics++, flat": [
        ["real/000_frame1.png", "real/000_frame2.png", "fake/000_003_frame1.png"],
        ["real/010_frame1.png", "fake/010_020_frame1.png"],
    ],
}


@pytest.mark.parametrize("name", TOGETHER)
def test_what_belongs_together_has_one_source(name):
    wanted = TOGETHER[name]
    assert groups([path for group in wanted for path in group]) == {frozenset(group) for group in wanted}


APART = {
    "plain numbers": [f"{label}/{n:05d}.jpg" for label in ("real", "fake") for n in range(60)],
    "a camera's numbers": [f"real/IMG_{n}.jpg" for n in range(80)],
    "one prefix": [f"fake/fake_{n}.jpg" for n in range(60)],
    "generators": [f"fake/{name}_{n}.png" for name in ("dalle3", "sdxl", "mj_6", "gan1", "flux") for n in range(9)],
    "folders of generators": [
        f"fake/{name}/{n}.png" for name in ("sd14", "sd15", "sd21", "sd30", "sd35", "sdxl") for n in range(9)
    ],
    "synsets": [f"n0144076{a}_{b * b * 911 % 9973}.JPEG" for a in range(9) for b in range(1, 9)],
    "class names": [f"n0144076{a}_tench.JPEG" for a in range(9)],
    "prompts": [f"{name}/1_fake/{n:03d}.png" for name in ("dalle_3", "midjourney_6", "sdxl") for n in range(20)],
    "subjects": [f"{subject}/{label}/{n}.png" for subject in ("nature", "people") for label in ("ai", "real")
                 for n in range(10)],
    "random names": [f"real/{a * 7919 % 99991:05x}LKY{a}.jpg" for a in range(50)],
}  # fmt: skip


@pytest.mark.parametrize("name", APART)
def test_numbering_alone_is_no_source(name):
    assert groups(APART[name]) == set()


def test_a_pattern_decides_alone():
    paths = [f"real/cam{a}-{b}.png" for a in range(2) for b in range(3)] + ["real/other.png"]
    found, told = sources(paths, r"cam(\d)")
    assert found == ["0"] * 3 + ["1"] * 3 + [None]
    assert "6 images come from 2 sources" in told[0]
    assert groups([f"fake/video_{a:02d}/{b}.png" for a in range(6) for b in range(4)], OFF) == set()
    with pytest.raises(LayoutError, match="Expected a regular expression"):
        sources(paths, "(")
