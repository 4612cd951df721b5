"""The face finder: boxes, patches, networks, what it finds, crops, and its command."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from dfcore.cli import main
from dfcore.errors import InputError
from dfcore.faces import Face, Framing, boxes, crop, find_faces, finder, frame, measured, smallest_side
from dfcore.faces.networks import read_weights, shipped_networks
from dfcore.faces.patches import Mipmap
from tests.unit.drawn_face import CENTRE, EYES, HEIGHT, MOUTH, drawn_face, scene

PLACES = [(20, 30, 160), (300, 40, 240), (600, 380, 120), (120, 300, 60)]


def share(one: np.ndarray, other: np.ndarray, of: str) -> float:
    """The overlap of two boxes, counted in whole pixels."""
    canvas = np.zeros((2, 64, 64), bool)
    for layer, (left, top, right, bottom) in zip(canvas, (one, other), strict=True):
        layer[top:bottom, left:right] = True
    areas = {"union": (canvas[0] | canvas[1]).sum(), "smaller": canvas.sum((1, 2)).min()}
    return (canvas[0] & canvas[1]).sum() / max(areas[of], 1)


@st.composite
def whole_boxes(draw) -> np.ndarray:
    corners = hnp.arrays(int, (draw(st.integers(1, 12)), 4), elements=st.integers(0, 32))
    drawn = draw(corners)
    return np.concatenate([drawn[:, :2], drawn[:, :2] + drawn[:, 2:]], axis=1)


# === Boxes ===


@settings(deadline=None)
@given(whole_boxes(), st.sampled_from(["union", "smaller"]))
def test_overlaps_are_those_that_counting_pixels_gives(some, of):
    expected = [share(some[0], other, of) for other in some]
    np.testing.assert_allclose(boxes.overlaps(some[0].astype(float), some.astype(float), of), expected)


@settings(deadline=None)
@given(whole_boxes(), st.integers(0, 99), st.sampled_from(["union", "smaller"]))
def test_what_is_suppressed_overlaps_something_better_and_what_is_kept_does_not(some, seed, of):
    some, scores = some.astype(float), np.random.default_rng(seed).integers(0, 4, len(some)) / 4
    kept = boxes.suppress(some, scores, 0.4, of).tolist()
    assert [scores[n] for n in kept] == sorted((scores[n] for n in kept), reverse=True)
    for number, box in enumerate(some):
        better = [n for n in kept if (-scores[n], n) < (-scores[number], number)]
        hidden = bool(better) and boxes.overlaps(box, some[better], of).max() > 0.4
        assert hidden == (number not in kept)


def test_no_boxes_are_no_special_case():
    none = np.empty((0, 4))
    assert boxes.suppress(none, np.empty(0), 0.5).tolist() == []
    assert boxes.squares(none).shape == boxes.refined(none, none).shape == (0, 4)
    assert boxes.overlaps(np.array([0, 0, 1, 1.0]), none).shape == (0,)


def test_boxes_are_squared_about_their_centre_and_moved_in_units_of_their_sides():
    np.testing.assert_allclose(boxes.squares(np.array([[0, 0, 10, 20.0]])), [[-5, 0, 15, 20]])
    moved = boxes.refined(np.array([[0, 0, 10, 20.0]]), np.array([[0.1, 0.1, -0.1, 0.5]]))
    np.testing.assert_allclose(moved, [[1, 2, 9, 30]])


# === Patches ===


@pytest.mark.parametrize("size", [24, 48, 96, 384])
def test_a_patch_shows_its_box_at_any_size(size):
    rgb = np.random.default_rng(0).integers(0, 256, (400, 500, 3)).astype(np.uint8)
    rgb = np.asarray(Image.fromarray(rgb).resize((125, 100)).resize((500, 400), Image.Resampling.BICUBIC))
    (patch,) = Mipmap(rgb).patches(np.array([[8, 16, 8 + size, 16 + size]], float), 24)
    expected = Image.fromarray(rgb).resize((24, 24), Image.Resampling.BILINEAR, (8, 16, 8 + size, 16 + size))
    assert np.abs(patch - np.asarray(expected)).mean() < 8
    if size == 24:
        np.testing.assert_allclose(patch, rgb[16:40, 8:32])


def test_beyond_the_picture_a_patch_is_grey():
    rgb = np.full((30, 30, 3), 255, np.uint8)
    (patch,) = Mipmap(rgb).patches(np.array([[-12, -12, 12, 12]], float), 24)
    assert (patch[:12] == 127.5).all() and (patch[:, :12] == 127.5).all() and (patch[12:, 12:] == 255).all()


# === Networks ===


def forward(weights: dict[str, np.ndarray], name: str, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """The network in NumPy, by its published description: `pixels` (H, W, 3) in [0, 255]."""

    def convolved(layer: str, x: np.ndarray) -> np.ndarray:
        kernel = weights[f"{layer}.kernel"]
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (1, 2))
        return np.einsum("cyxhw,ochw->oyx", windows, kernel) + weights[f"{layer}.bias"][:, None, None]

    def pooled(x: np.ndarray, side: int, *, whole: bool) -> np.ndarray:
        more = (-(x.shape[1] - side) % 2, -(x.shape[2] - side) % 2) if whole else (0, 0)
        x = np.pad(x, ((0, 0), (0, more[0]), (0, more[1])), constant_values=-np.inf)
        return np.lib.stride_tricks.sliding_window_view(x, (side, side), (1, 2))[:, ::2, ::2].max((3, 4))

    def bent(layer: str, x: np.ndarray) -> np.ndarray:
        slope = weights[f"{layer}.slope"].reshape(-1, *[1] * (x.ndim - 1))
        return np.where(x > 0, x, slope * x)

    poolings = {"first": [(2, True)], "second": [(3, True), (3, False)], "third": [(3, True), (3, False), (2, True)]}
    x = (pixels.astype(np.float64).transpose(2, 0, 1) - 127.5) / 128
    for number in range(1, 5 if name == "third" else 4):
        x = bent(f"{name}.{number}", convolved(f"{name}.{number}", x))
        if number <= len(poolings[name]):
            side, whole = poolings[name][number - 1]
            x = pooled(x, side, whole=whole)
    if name == "first":
        result = {head: convolved(f"first.{head}", x) for head in ("score", "offsets")}
    else:
        x = weights[f"{name}.dense.kernel"] @ x.ravel() + weights[f"{name}.dense.bias"]
        x = bent(f"{name}.dense", x)
        heads = ("score", "offsets", "landmarks")[: 3 if name == "third" else 2]
        result = {head: weights[f"{name}.{head}.kernel"] @ x + weights[f"{name}.{head}.bias"] for head in heads}
    raised = np.exp(result["score"] - result["score"].max(0))
    return result | {"score": (raised / raised.sum(0))[1]}


@pytest.mark.parametrize("shape", [(12, 12), (33, 20), (40, 57)])
def test_the_first_network_is_that_of_its_description(shape):
    rgb = np.asarray(Image.fromarray(drawn_face(60)).resize(shape[::-1]))
    expected = forward(read_weights(), "first", rgb)
    scores, offsets = shipped_networks().first(rgb)
    np.testing.assert_allclose(scores, expected["score"], atol=1e-5)
    np.testing.assert_allclose(offsets, expected["offsets"], atol=1e-5)


def test_the_second_and_the_third_network_are_those_of_their_description():
    weights, nets = read_weights(), shipped_networks()
    for name, side, network in (("second", 24, nets.second), ("third", 48, nets.third)):
        patches = np.stack([drawn_face(side), np.roll(drawn_face(side), 5, 1)]).astype(np.float32)
        for number, patch in enumerate(patches):
            expected, found = forward(weights, name, patch), network(patches)
            np.testing.assert_allclose(found[0][number], expected["score"], atol=1e-5)
            np.testing.assert_allclose(found[1][number], expected["offsets"], atol=1e-5)
            if name == "third":
                np.testing.assert_allclose(found[2][number].T.ravel(), expected["landmarks"], atol=1e-5)


# === Finding ===


def test_every_face_is_found_where_it_is():
    faces = find_faces(scene(PLACES))
    assert len(faces) == len(PLACES)
    for left, top, side in PLACES:
        x, y, height = left + CENTRE[0] * side, top + CENTRE[1] * side, HEIGHT * side
        (face,) = (f for f in faces if f.box[0] < x < f.box[2] and f.box[1] < y < f.box[3])
        assert 0.7 * height < face.side < 1.4 * height
        assert 0.8 < face.score <= 1
        for point, place in zip(face.landmarks, EYES, strict=False):
            assert np.hypot(*(np.array(point) - (left, top) - np.array(place) / 400 * side)) < 0.1 * side
        assert abs(np.mean(face.landmarks[3:], 0) - (left, top) - np.array(MOUTH) / 400 * side).max() < 0.1 * side


def test_the_best_faces_come_first_and_no_more_than_asked():
    rgb = scene(PLACES)
    scores = [face.score for face in find_faces(rgb)]
    assert scores == sorted(scores, reverse=True)
    assert find_faces(rgb, most=2) == find_faces(rgb)[:2]


def test_faces_smaller_than_asked_for_are_not_looked_for():
    sides = [face.side for face in find_faces(scene(PLACES), min_side=120)]
    assert sides and min(sides) > 60 and len(sides) < len(find_faces(scene(PLACES)))


def test_the_same_picture_gives_the_same_faces_in_any_thread():
    rgb = scene(PLACES)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: find_faces(rgb), range(8)))
    assert all(answer == answers[0] for answer in answers) and answers[0]


@pytest.mark.parametrize("height", [299, 300])
def test_bands_change_nothing(height, monkeypatch):
    rgb = np.tile(drawn_face(20), (15, 20, 1))[:height]
    ((boxes_at_once, scores_at_once),) = finder._scanned(shipped_networks(), rgb)
    monkeypatch.setattr(finder, "_BAND_PIXELS", 12_000)
    bands = list(finder._scanned(shipped_networks(), rgb))
    assert len(bands) > 3 and len(boxes_at_once) > 100
    np.testing.assert_allclose(np.concatenate([some for some, _ in bands]), boxes_at_once, atol=1e-3)
    np.testing.assert_allclose(np.concatenate([scores for _, scores in bands]), scores_at_once, atol=1e-4)


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (11, 500), (500, 1), (12, 12), (13, 4000), (4000, 12)])
@pytest.mark.parametrize("value", [0, 255])
def test_empty_tiny_and_narrow_pictures_have_no_faces(shape, value):
    assert find_faces(np.full((*shape, 3), value, np.uint8)) == []


@pytest.mark.parametrize(
    "wrong", [np.zeros((20, 20), np.uint8), np.zeros((20, 20, 4), np.uint8), np.zeros((20, 20, 3))]
)
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(InputError, match=r"Expected a picture, uint8 \(H, W, 3\)"):
        find_faces(wrong)


@pytest.mark.parametrize("options", [{"min_side": 11}, {"min_side": float("nan")}, {"most": 0}, {"most": 2001}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InputError, match="Expected min_side of 12"):
        find_faces(np.zeros((20, 20, 3), np.uint8), **options)


def test_the_smallest_face_grows_with_large_pictures_so_that_work_is_bounded():
    assert smallest_side(4000, 4000) == 24 and smallest_side(400, 400, 40) == 40
    for height, width in ((6000, 8000), (50_000, 1000)):
        assert height * width * (12 / smallest_side(height, width)) ** 2 == pytest.approx(4_000_000)


@pytest.mark.slow
def test_a_face_is_found_in_48_megapixels():
    rgb = np.full((6000, 8000, 3), 120, np.uint8)
    rgb[2000:3000, 5000:6000], rgb[100:200, 100:200] = drawn_face(1000), drawn_face(100)
    assert len(find_faces(rgb)) == 2


# === Crops ===


def face_at(x: float, y: float, apart: float = 20.0) -> Face:
    points = ((x - apart / 2, y), (x + apart / 2, y), (x, y + 10), (x - 8, y + 20), (x + 8, y + 20))
    return Face((x - 20, y - 20, x + 20, y + 30), 0.9, points)


def test_the_frame_follows_eyes_and_mouth():
    left, top, right, bottom = frame(face_at(100, 80))
    assert right - left == pytest.approx(bottom - top) == pytest.approx(4 * 20 / 1.017)
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((100, 82))
    wider = frame(face_at(100, 80), 0.5)
    assert wider[2] - wider[0] == pytest.approx(2 * (right - left))


@settings(deadline=None)
@given(
    st.floats(-50, 350), st.floats(-50, 250), st.floats(0, 200), st.floats(-0.4, 10),
    st.tuples(st.integers(1, 256), st.integers(1, 256)),
)  # fmt: skip
def test_a_crop_is_a_square_of_the_pictures_own_pixels(x, y, apart, margin, size):
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    rgb = np.stack([rows, columns, rows ^ columns], 2).astype(np.uint8)
    cut = crop(rgb, face_at(x, y, apart), margin)
    side = len(cut)
    assert cut.shape == (side, side, 3) and 1 <= side <= min(height, width)
    top, left = cut[0, 0, :2].tolist()
    np.testing.assert_array_equal(cut, rgb[top : top + side, left : left + side])
    want = frame(face_at(x, y, apart), margin)
    if want[0] >= 1 and want[1] >= 1 and want[2] <= width - 1 and want[3] <= height - 1:
        assert abs(left - want[0]) <= 1 and abs(top - want[1]) <= 1 and abs(side - (want[2] - want[0])) <= 1


@pytest.mark.parametrize("margin", [-0.41, 10.1, float("nan")])
def test_margins_out_of_range_are_refused(margin):
    with pytest.raises(InputError, match=r"Expected a margin from -0\.4 to 10"):
        crop(drawn_face(), face_at(100, 100), margin)


@settings(deadline=None)
@given(
    st.sampled_from(["features", "box"]), st.floats(-0.4, 3), st.floats(-1, 1),
    st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 1000), st.floats(10, 200)), min_size=1, max_size=9),
)  # fmt: skip
def test_the_framing_of_crops_is_found_again(alignment, margin, offset, places):
    framing = Framing(round(margin, 4), round(offset, 4), alignment)
    crops = []
    for place in places:
        face = face_at(*place)
        left, top, right, _ = framing.frame(face)
        scale = 10_000 / (right - left)
        move = lambda x, y: ((x - left) * scale, (y - top) * scale)  # noqa: B023, E731  (used at once)
        box = (*move(*face.box[:2]), *move(*face.box[2:]))
        crops.append((Face(box, face.score, tuple(move(*point) for point in face.landmarks)), 10_000))
    found = measured(crops, alignment)
    assert found.faces == len(places) and found.spread < 1e-6 and found.apart < 1e-6
    assert found.framing.margin == pytest.approx(framing.margin, abs=2e-4)
    assert found.framing.offset == pytest.approx(framing.offset, abs=2e-4)
    assert measured(crops).spread <= found.spread + 1e-9 and measured([]) is None


@pytest.mark.parametrize("wrong", [{"offset": 5.1}, {"offset": float("nan")}, {"alignment": "nose"}, {"margin": -0.5}])
def test_a_framing_out_of_range_is_refused(wrong):
    with pytest.raises(InputError, match="Expected a"):
        Framing(**wrong)


def test_a_framing_moves_down_and_the_region_is_what_is_cut_out():
    face, rgb = face_at(100, 80), np.random.default_rng(0).integers(0, 256, (200, 240, 3)).astype(np.uint8)
    before, after = Framing().frame(face), Framing(offset=0.1).frame(face)
    side = before[2] - before[0]
    assert np.subtract(after, before) == pytest.approx([0, 0.1 * side, 0, 0.1 * side])
    left, top, right, bottom = Framing(0.1, 0.1, "box").region(face, 200, 240)
    np.testing.assert_array_equal(Framing(0.1, 0.1, "box").crop(rgb, face), rgb[top:bottom, left:right])
    assert (left + right) / 2 == 100 and (top + bottom) / 2 == 90 and right - left == 60


# === The command ===


@pytest.fixture
def command(capsys):
    def run(*arguments) -> tuple[int, str, str]:
        code = main([str(argument) for argument in ("faces", *arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    Image.fromarray(scene(PLACES)).save(tmp_path / "pictures" / "1.png")
    Image.fromarray(scene([])).save(tmp_path / "pictures" / "2.png")
    return tmp_path / "pictures"


def test_the_command_tells_what_the_library_finds_and_cuts_it_out(command, folder, tmp_path):
    code, out, _ = command(folder, "--json", "--crops", tmp_path / "crops", "--margin", 0.25)
    rows, rgb = json.loads(out), scene(PLACES)
    assert code == 0 and [row["error"] for row in rows] == [None, None] and rows[1]["faces"] == []
    assert (rows[0]["width"], rows[0]["height"]) == (800, 600)
    for face, row in zip(find_faces(rgb), rows[0]["faces"], strict=True):
        assert (tuple(row["box"]), row["score"]) == (face.box, face.score)
        np.testing.assert_array_equal(np.asarray(Image.open(row["crop"])), crop(rgb, face, 0.25))
    assert len(list((tmp_path / "crops").iterdir())) == len(PLACES)


def test_the_command_tells_in_words_and_names_what_is_no_picture(command, folder):
    (folder / "3.png").write_bytes(b"no picture")
    code, out, _ = command(folder)
    one, two, three = out.splitlines()
    assert code == 3 and "4 faces" in one and two.endswith("no face found") and "3.png: " in three


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "There is no file or folder"),
        (["."], "No images were found"),
        ([".", "--margin", "11"], "Expected a margin"),
        ([".", "--min-side", "3"], "Expected min_side"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(command, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = command(*arguments)
    assert code == 2 and not out and words in err and err.count("\n") == 1


def test_crops_do_not_go_into_a_file(command, folder, tmp_path):
    (tmp_path / "taken").write_text("")
    code, _, err = command(folder, "--crops", tmp_path / "taken")
    assert code == 2 and "Expected a folder after --crops" in err


@pytest.mark.shared
@pytest.mark.parametrize("kind", ["real", "fake"])
def test_photographed_and_generated_faces_are_found_and_framed_as_they_came(kind):
    from tests.conftest import ROOT

    for path in sorted((ROOT.parent / "shared/data/faces/valid" / kind).iterdir())[:10]:
        rgb = np.asarray(Image.open(path).convert("RGB"))
        left, top, right, bottom = frame(max(find_faces(rgb), key=lambda face: face.side))
        assert abs(right - left - 256) < 40 and abs(left + right - 256) < 20 and abs(top + bottom - 256) < 20


def test_pictures_of_ever_new_sizes_leave_nothing_in_memory():
    def look(sides: range) -> int:
        for side in sides:
            find_faces(np.full((side, 2 * side, 3), side % 256, np.uint8))
        return psutil.Process().memory_info().rss

    before = look(range(300, 310))
    # Each new size left 3 to 5 MB.
    assert look(range(310, 350)) - before < 40e6
