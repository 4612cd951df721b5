"""The one decoder: every format and pixel mode against pixels worked out by hand, and what it refuses."""

import io
import struct
import warnings
import zlib
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from dfcore.errors import ImageError
from dfcore.imaging import decoder
from dfcore.imaging.facts import described_exif

ORIENTATION, MAKER = 0x0112, 0x010F

# Two rows of three pixels, with red values that all differ, so that a turned image is recognised.
SIX = np.stack([np.arange(6).reshape(2, 3) * 40, np.full((2, 3), 90), np.full((2, 3), 10)], axis=-1).astype(np.uint8)
RED = SIX[..., 0]


def encoded(image: Image.Image | np.ndarray, kind: str, **options) -> bytes:
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int = 32, height: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def smooth(width: int = 32, height: int = 24) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 5, columns * 5, rows + columns], axis=-1).astype(np.uint8)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def raw_png(width: int, height: int, depth: int, kind: int, rows: bytes, *before: bytes) -> bytes:
    """A PNG put together by hand: for depths that Pillow does not write, and for sizes that lie."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def palette_image() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    return image


def filled(mode: str, colour: object) -> Image.Image:
    return Image.new(mode, (2, 1), colour)


# === Formats ===

LOSSLESS = [
    pytest.param("PNG", {}, id="png"),
    pytest.param("WEBP", {"lossless": True}, id="webp-lossless"),
    pytest.param("BMP", {}, id="bmp"),
    pytest.param("TIFF", {}, id="tiff-plain"),
    pytest.param("TIFF", {"compression": "tiff_lzw"}, id="tiff-lzw"),
]


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_lossless_formats_give_the_pixels_that_went_in(kind, options):
    pixels = noise()
    decoded = decoder.decode(encoded(pixels, kind, **options))
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, pixels)


LOSSY = [
    pytest.param("JPEG", {"quality": 95, "subsampling": 0}, 3, id="jpeg"),
    pytest.param("JPEG", {"quality": 95, "progressive": True}, 6, id="jpeg-progressive"),
    pytest.param("MPO", {"quality": 95, "subsampling": 0}, 3, id="mpo-as-phones-write-it"),
    pytest.param("WEBP", {"quality": 95}, 10, id="webp-lossy"),
    pytest.param("AVIF", {"quality": 95}, 10, id="avif"),
]


@pytest.mark.parametrize(("kind", "options", "tolerance"), LOSSY)
def test_lossy_formats_come_near(kind, options, tolerance):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    pixels = smooth()
    decoded = decoder.decode(encoded(pixels, kind, **options))
    assert decoded.shape == pixels.shape
    assert np.abs(decoded.astype(int) - pixels).mean() < tolerance


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG", "WEBP", "MPO"])
def test_the_first_of_several_frames_is_judged(kind):
    first, second = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 255))
    data = encoded(first, kind, save_all=True, append_images=[second])
    assert decoder.describe(data).animated
    red, _, blue = decoder.decode(data).mean(axis=(0, 1))
    assert red > 200
    assert blue < 60


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".txt", ""])
def test_content_counts_and_not_the_name(tmp_path, suffix):
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(encoded(SIX, "BMP"))
    np.testing.assert_array_equal(decoder.decode(path), SIX)
    assert decoder.describe(path).format == "BMP"


SOURCES = [
    pytest.param(lambda path: str(path), id="path-as-text"),
    pytest.param(lambda path: path, id="path"),
    pytest.param(lambda path: path.read_bytes(), id="bytes"),
    pytest.param(lambda path: bytearray(path.read_bytes()), id="bytearray"),
    pytest.param(lambda path: memoryview(path.read_bytes()), id="memoryview"),
    pytest.param(lambda path: io.BytesIO(path.read_bytes()), id="stream"),
    pytest.param(lambda path: Image.open(io.BytesIO(path.read_bytes())), id="pillow-image"),
    pytest.param(lambda path: SIX, id="array"),
]


@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_of_source_gives_the_same_pixels(tmp_path, source):
    path = tmp_path / "six.png"
    path.write_bytes(encoded(SIX, "PNG"))
    np.testing.assert_array_equal(decoder.decode(source(path)), SIX)


# === Orientation ===

TURNED = {
    1: RED,
    2: RED[:, ::-1],
    3: RED[::-1, ::-1],
    4: RED[::-1],
    5: RED.T,
    6: RED[::-1].T,
    7: RED[::-1, ::-1].T,
    8: RED[:, ::-1].T,
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", TURNED)
def test_exif_orientation_is_applied(kind, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    # Blocks of 16 pixels, so that JPEG keeps their colours.
    pixels = SIX.repeat(16, axis=0).repeat(16, axis=1)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    data = encoded(pixels, kind, exif=exif, **options)
    decoded = decoder.decode(data)
    np.testing.assert_allclose(decoded[8::16, 8::16, 0].astype(int), TURNED[orientation], atol=2)
    facts = decoder.describe(data)
    assert (facts.height, facts.width) == decoded.shape[:2], "the size is told as displayed"


def test_an_orientation_that_does_not_exist_changes_nothing():
    exif = Image.Exif()
    exif[ORIENTATION] = 42
    np.testing.assert_array_equal(decoder.decode(encoded(SIX, "PNG", exif=exif)), SIX)


# === Pixel modes ===

# 128/255 of a colour over white: 100 -> 177, 50 -> 152, 0 -> 127.
HALF_OVER_WHITE = [177, 152, 127]
MODES = [
    pytest.param(encoded(palette_image(), "PNG"), [[10, 20, 30], [200, 100, 50]], id="palette"),
    pytest.param(
        encoded(palette_image(), "PNG", transparency=1), [[10, 20, 30], [255, 255, 255]], id="palette-one-clear-colour"
    ),
    pytest.param(
        encoded(palette_image(), "PNG", transparency=bytes([255, 0])),
        [[10, 20, 30], [255, 255, 255]],
        id="palette-with-an-alpha-table",
    ),
    pytest.param(
        encoded(palette_image(), "GIF", transparency=0), [[255, 255, 255], [200, 100, 50]], id="gif-with-clear-colour"
    ),
    pytest.param(encoded(filled("L", 77), "PNG"), [[77, 77, 77]] * 2, id="grey"),
    pytest.param(encoded(filled("L", 77), "PNG", transparency=77), [[255, 255, 255]] * 2, id="grey-clear-colour"),
    pytest.param(
        encoded(filled("RGB", (7, 8, 9)), "PNG", transparency=(7, 8, 9)), [[255, 255, 255]] * 2, id="rgb-clear-colour"
    ),
    pytest.param(encoded(filled("1", 1), "PNG"), [[255, 255, 255]] * 2, id="one-bit-white"),
    pytest.param(encoded(filled("1", 0), "TIFF"), [[0, 0, 0]] * 2, id="one-bit-black-tiff"),
    pytest.param(encoded(filled("LA", (100, 128)), "PNG"), [[177, 177, 177]] * 2, id="grey-with-alpha"),
    pytest.param(encoded(filled("RGBA", (100, 50, 0, 128)), "PNG"), [HALF_OVER_WHITE] * 2, id="half-clear"),
    pytest.param(encoded(filled("RGBA", (100, 50, 0, 0)), "PNG"), [[255, 255, 255]] * 2, id="all-clear"),
    pytest.param(encoded(filled("RGBA", (100, 50, 0, 255)), "PNG"), [[100, 50, 0]] * 2, id="opaque"),
    pytest.param(
        encoded(filled("RGBA", (100, 50, 0, 128)), "WEBP", lossless=True, exact=True),
        [HALF_OVER_WHITE] * 2,
        id="webp-half-clear",
    ),
    # (255 - C) * (255 - K) / 255 and so on: 191, 127 * 191 / 255, 0.
    pytest.param(encoded(filled("CMYK", (0, 128, 255, 64)), "TIFF"), [[191, 95, 0]] * 2, id="cmyk-tiff"),
    pytest.param(
        encoded(filled("CMYK", (0, 255, 255, 0)), "JPEG", quality=100), [[255, 0, 0]] * 2, id="cmyk-jpeg-of-adobe"
    ),
    pytest.param(
        encoded(np.array([[0xABCD, 0x00FF]], np.uint16), "PNG"), [[0xAB] * 3, [0] * 3], id="16-bit-png-high-byte"
    ),
    pytest.param(
        encoded(np.array([[0xABCD, 0xFFFF]], np.uint16), "TIFF"), [[0xAB] * 3, [255] * 3], id="16-bit-tiff-high-byte"
    ),
    pytest.param(
        raw_png(2, 1, 16, 2, b"\0" + bytes([1, 200, 2, 200, 3, 200]) * 2), [[1, 2, 3]] * 2, id="16-bit-rgb-high-byte"
    ),
    pytest.param(
        raw_png(2, 1, 16, 6, b"\0" + bytes([100, 9, 50, 9, 0, 9, 128, 0]) * 2),
        [HALF_OVER_WHITE] * 2,
        id="16-bit-rgba-over-white",
    ),
]


@pytest.mark.parametrize(("data", "expected"), MODES)
def test_every_pixel_mode_becomes_rgb(data, expected):
    decoded = decoder.decode(data)
    assert decoded.shape == (1, 2, 3)
    assert decoded.dtype == np.uint8
    assert decoded[0].tolist() == expected


REFUSED_PIXELS = [
    pytest.param(np.full((4, 4), 0.5, np.float32), "Floating-point", id="float"),
    pytest.param(np.full((4, 4), 200_000, np.int32), "32-bit", id="int32-beyond-16-bits"),
    pytest.param(np.full((4, 4), -1, np.int32), "32-bit", id="int32-below-zero"),
    pytest.param(np.full((4, 4), 200, np.int32), "32-bit", id="int32-would-come-out-black"),
]


@pytest.mark.parametrize(("pixels", "message"), REFUSED_PIXELS)
def test_pixels_without_a_defined_range_are_refused(pixels, message):
    with pytest.raises(ImageError, match=message) as caught:
        decoder.decode(encoded(pixels, "TIFF"))
    assert "8 or 16 bits" in str(caught.value), "it says what would be right"


# === Arrays ===

ARRAYS = [
    pytest.param(np.full((2, 3), 9, np.uint8), [9, 9, 9], id="grey"),
    pytest.param(np.full((2, 3, 1), 9, np.uint8), [9, 9, 9], id="grey-with-channel"),
    pytest.param(np.tile(np.uint8([1, 2, 3]), (2, 3, 1)), [1, 2, 3], id="rgb"),
    pytest.param(np.tile(np.uint8([100, 50, 0, 128]), (2, 3, 1)), HALF_OVER_WHITE, id="rgba-over-white"),
    pytest.param(np.tile(np.uint8([3, 2, 1]), (2, 3, 1))[..., ::-1], [1, 2, 3], id="not-contiguous"),
]


@pytest.mark.parametrize(("pixels", "expected"), ARRAYS)
def test_arrays_are_accepted(pixels, expected):
    decoded = decoder.decode(pixels)
    assert decoded.shape == (2, 3, 3)
    assert decoded.flags.c_contiguous
    assert (decoded == expected).all()


BAD_ARRAYS = [
    pytest.param(np.zeros((4, 4, 3)), "float64", id="float"),
    pytest.param(np.zeros((4, 4, 3), np.uint16), "uint16", id="16-bit"),
    pytest.param(np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)", id="two-channels"),
    pytest.param(np.zeros((1, 4, 4, 3), np.uint8), r"\(1, 4, 4, 3\)", id="a-batch"),
    pytest.param(np.zeros(4, np.uint8), r"\(4,\)", id="a-row"),
    pytest.param(np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)", id="nothing"),
]


@pytest.mark.parametrize(("pixels", "received"), BAD_ARRAYS)
def test_other_arrays_are_refused_with_what_was_received(pixels, received):
    with pytest.raises(ImageError, match=f"Expected an array.*Received: .*{received}"):
        decoder.decode(pixels)


@pytest.mark.parametrize("source", [None, 3, [1, 2]], ids=["none", "a-number", "a-list"])
def test_what_is_no_image_at_all_is_refused(source):
    with pytest.raises(ImageError, match=f"Received: {type(source).__name__}"):
        decoder.decode(source)


# === Damaged and hostile files ===

BAD_FILES = [
    pytest.param(b"", "empty", id="zero-bytes"),
    pytest.param(b"hello, world " * 20, "Not an image", id="text"),
    pytest.param(b"%PDF-1.7\n" + bytes(200), "Not an image", id="pdf"),
    pytest.param(encoded(noise(), "PPM"), "Not an image", id="format-not-on-the-list"),
    pytest.param(b"\x89PNG\r\n\x1a\n", "damaged|Not an image", id="signature-only"),
]


@pytest.mark.parametrize("read", [decoder.decode, decoder.describe])
@pytest.mark.parametrize(("data", "message"), BAD_FILES)
def test_bad_files_are_refused_with_the_reason(read, data, message):
    with pytest.raises(ImageError, match=message):
        read(data)


def test_a_foreign_format_is_told_the_formats_that_are_read():
    with pytest.raises(ImageError, match=r"JPEG.*PNG.*WEBP"):
        decoder.decode(b"not an image")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_damaged_and_not_half_an_image(kind, share):
    data = encoded(noise(), kind, **({"lossless": True} if kind == "WEBP" else {}))
    with pytest.raises(ImageError, match=r"damaged|Not an image"):
        decoder.decode(data[: int(share * len(data))])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "MPO"])
def test_no_damage_raises_anything_but_our_own_error(kind):
    """Cut and bent files: reading succeeds or raises ImageError, whatever Pillow's plugins do inside."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKER] = 6, "Maker"
    options = {} if kind in ("BMP", "GIF") else {"exif": exif}
    if kind not in ("BMP", "JPEG"):
        options |= {"save_all": True, "append_images": [Image.fromarray(noise(seed=1))]}
    data = encoded(noise(), kind, **options)
    random = np.random.default_rng(0)
    for attempt in range(60):
        bad = bytearray(data)
        if attempt % 2:
            del bad[int(random.integers(1, len(bad))) :]
        else:
            for place in random.integers(0, min(len(bad), 500), 5):
                bad[place] = random.integers(256)
        for read in (decoder.decode, decoder.describe):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    read(bytes(bad))
                except ImageError as error:
                    assert str(error)


@pytest.mark.parametrize(
    ("width", "height"), [(7_100, 7_100), (12_000, 12_000), (60_000, 60_000)], ids=["50.4MP", "144MP", "3600MP"]
)
@pytest.mark.parametrize("read", [decoder.decode, decoder.describe])
def test_a_small_file_of_huge_dimensions_is_refused_by_its_header(monkeypatch, read, width, height):
    bomb = raw_png(width, height, 8, 2, b"")
    assert len(bomb) < 200

    def load(*_):
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr(Image.Image, "load", load)
    with pytest.raises(ImageError, match="50 megapixels; nothing was decoded"):
        read(bomb)


def test_the_cap_on_pixels_holds_for_pillow_images_too(monkeypatch):
    monkeypatch.setattr(decoder, "MAX_PIXELS", 100)
    assert decoder.decode(Image.new("RGB", (10, 10))).shape == (10, 10, 3)
    with pytest.raises(ImageError, match="10 x 11 pixels"):
        decoder.decode(Image.new("RGB", (10, 11)))


@pytest.mark.parametrize("wrap", [Path, Path.read_bytes, lambda path: path.open("rb")], ids=["path", "bytes", "stream"])
def test_the_cap_on_bytes_comes_before_everything_else(tmp_path, monkeypatch, wrap):
    path = tmp_path / "large.png"
    path.write_bytes(encoded(noise(), "PNG") + bytes(2**20))
    monkeypatch.setattr(decoder, "MAX_BYTES", 2**20)
    source = wrap(path)
    try:
        with pytest.raises(ImageError, match="larger than the limit of 1 MB"):
            decoder.decode(source)
    finally:
        if hasattr(source, "close"):
            source.close()


@pytest.mark.parametrize("read", [decoder.decode, decoder.describe])
def test_paths_that_lead_nowhere_are_named(tmp_path, read):
    with pytest.raises(ImageError, match=r"There is no file .*gone\.png"):
        read(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="is a folder, not an image"):
        read(tmp_path)
    with pytest.raises(ImageError, match="could not be read"):
        read("a\0b.png")


# === Facts ===


def test_facts_of_a_photograph():
    exif = Image.Exif()
    exif[MAKER], exif[ORIENTATION] = "Maker\x00\x07 of cameras", 8
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    exif.get_ifd(0x8825)[1] = "N"
    data = encoded(noise(32, 24), "JPEG", exif=exif)
    facts = decoder.describe(data)
    assert (facts.format, facts.mode, facts.animated) == ("JPEG", "RGB", False)
    assert (facts.width, facts.height) == (24, 32)
    assert facts.bytes == len(data)
    assert facts.sha256 == sha256(data).hexdigest()
    assert facts.exif["DateTimeOriginal"] == "2024:05:06 07:08:09"
    assert facts.exif["GPSLatitudeRef"] == "N"
    assert facts.exif["Make"].startswith("Maker")
    assert all(text.isprintable() for text in facts.exif.values())


# Below 15 the table's greatest entries reach 255, and there it ends: what is told is too high there.
QUALITIES = [20, 30, 50, 75, 90, 95, 100]


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("options", [{}, {"progressive": True, "subsampling": 0}], ids=["plain", "progressive"])
def test_the_quality_of_a_jpeg_is_told_within_two_steps(quality, options):
    data = encoded(smooth(), "JPEG", quality=quality, **options)
    assert abs(decoder.describe(data).jpeg_quality - quality) <= 2


def test_a_worse_jpeg_never_has_a_better_quality():
    text = [decoder.describe(encoded(smooth(), "JPEG", quality=quality)).jpeg_quality for quality in range(1, 101)]
    assert text == sorted(text)
    assert text[0] < 15
    assert text[-1] >= 99


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_other_formats_have_no_quality_that_is_known(kind):
    data = encoded(smooth(), kind)
    assert decoder.describe(data).jpeg_quality is None
    assert decoder.describe(data).jpeg_quality is None


def test_a_photograph_of_a_phone_has_a_quality_too():
    """MPO is JPEG with more than one picture."""
    assert abs(decoder.describe(encoded(smooth(), "MPO", quality=80)).jpeg_quality - 80) <= 2


def test_a_plain_file_has_no_exif():
    assert decoder.describe(encoded(noise(), "PNG")).exif == {}


def test_a_long_exif_text_is_cut():
    exif = Image.Exif()
    exif[MAKER] = "x" * 10_000
    assert len(decoder.describe(encoded(noise(), "JPEG", exif=exif)).exif["Make"]) <= 200


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_does_not_spoil_sound_pixels(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = smooth()
    sound, broken = (encoded(pixels, kind, **options, **more) for more in ({}, {"exif": b"Exif\0\0garbage"}))
    np.testing.assert_array_equal(decoder.decode(broken), decoder.decode(sound))
    assert decoder.describe(broken).exif == {}


def test_exif_of_megabytes_is_told_instead_of_read_and_the_picture_is_turned_all_the_same():
    exif = Image.Exif()
    exif[ORIENTATION], exif[0x9286] = 6, b"x" * 2**20  # A comment of a megabyte.
    data = encoded(noise(30, 20), "PNG", exif=exif)
    facts = decoder.describe(data)
    assert (facts.width, facts.height) == (20, 30) and facts.exif == {}
    assert facts.notes == ("Its EXIF data are not listed: they take 1 MB, and at most 1 MB is read.",)


def test_a_picture_that_says_it_has_no_exif_is_read():
    image = Image.fromarray(noise())
    image.info["exif"] = None  # As of HEIC.
    assert described_exif(image) == ({}, [])
