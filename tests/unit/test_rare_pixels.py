"""Rare but honest files: coders and layouts that few programs write are read right, or refused by name."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfcore.imaging import decoder
from tests.icc import BLACK, INKS, cmyk_profile, grey_profile, profile
from tests.unit.test_pixels import COLOURS, COLUMNS, GREY, ROWS, encoded, grey3, reason, told

# `COLOURS` from coders that Pillow does not have: libjpeg's arithmetic one (quality 90, 4:4:4, sequential and
# progressive), and libavif's with samples of 10 and 12 bits (quality 95, 4:4:4).
RARE = Path(__file__).parents[1] / "data" / "rare"


@pytest.mark.parametrize("name", ["arithmetic.jpg", "arithmetic_progressive.jpg", "10_bits.avif", "12_bits.avif"])
def test_a_rare_coder_is_read(name):
    pixels, notes = told((RARE / name).read_bytes())
    np.testing.assert_allclose(pixels.astype(int), COLOURS, atol=4)
    assert not notes


@pytest.mark.parametrize("name", ["arithmetic.jpg", "arithmetic_progressive.jpg"])
@pytest.mark.parametrize("share", [0.8, 0.9, 0.95])
def test_an_arithmetic_jpeg_that_breaks_off_is_refused(name, share):
    data = (RARE / name).read_bytes()
    text = reason(data[: int(share * len(data))])
    assert "damaged or incomplete" in text
    assert "missing" in text


@pytest.mark.parametrize("apart", [False, True], ids=["frame", "picture-beside"])
def test_of_an_animated_png_the_first_picture_counts(apart):
    others = [Image.fromarray(255 - COLOURS), Image.fromarray(COLOURS[::-1])]
    data = encoded(COLOURS, "PNG", save_all=True, append_images=others, default_image=apart)
    np.testing.assert_array_equal(told(data)[0], COLOURS)
    # Inspect tells "animated: the first frame is judged".
    assert decoder.describe(data).animated
    assert not decoder.describe(encoded(COLOURS, "PNG")).animated


# === BMP ===


def bmp(bits: int, coding: int, body: bytes, between: bytes = b"", width: int = 32) -> bytes:
    """A BMP of 24 rows, the lowest first; masks or a palette stand between header and pixels."""
    start, colours = 54 + len(between), len(between) // 4 if bits <= 8 else 0
    head = struct.pack("<IiiHHIIiiII", 40, width, 24, 1, bits, coding, len(body), 2835, 2835, colours, 0)
    return struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start) + head + between + body


PALETTE = np.random.default_rng(0).integers(0, 256, (256, 4)).astype(np.uint8)
INDEX = (ROWS // 3 * 10 + COLUMNS // 4).astype(np.uint8)


def shown(index: np.ndarray) -> np.ndarray:
    return PALETTE[index][..., 2::-1]


def test_an_rle8_bmp_is_read():
    """Runs in every other row, literal bytes (an odd number, padded) in the others."""
    rows = []
    for number, row in enumerate(INDEX[::-1]):
        runs = b"".join(bytes([4, value]) for value in row[::4])
        rows.append(runs if number % 2 else b"\0\x1d" + row[:29].tobytes() + b"\0" + bytes([3, row[29]]))
    pixels, notes = told(bmp(8, 1, b"\0\0".join(rows) + b"\0\1", PALETTE.tobytes()))
    np.testing.assert_array_equal(pixels, shown(INDEX))
    assert not notes


def test_an_rle8_bmp_that_jumps_is_read():
    index = np.full((24, 32), 5, np.uint8)
    index[23, 4:], index[23, :4], index[22, :7], index[22, 7:] = 0, 2, 0, 3
    jump = bytes([4, 2]) + b"\0\2" + bytes([3, 1]) + bytes([25, 3]) + b"\0\0"
    pixels, _ = told(bmp(8, 1, jump + bytes([32, 5, 0, 0]) * 22 + b"\0\1", PALETTE.tobytes()))
    np.testing.assert_array_equal(pixels, shown(index))


def test_an_rle4_bmp_is_read():
    index = INDEX % 16
    body = b"\0\0".join(b"".join(bytes([4, value * 17]) for value in row[::4]) for row in index[::-1])
    np.testing.assert_array_equal(told(bmp(4, 2, body + b"\0\1", PALETTE[:16].tobytes()))[0], shown(index))


def words(bits: tuple[int, int, int], pixels: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Pixels packed into 16 bits, red highest, rows of an even number of words; and what they stand for."""
    parts = [pixels[..., channel].astype(int) >> 8 - most for channel, most in enumerate(bits)]
    packed = (parts[0] << bits[1] + bits[2] | parts[1] << bits[2] | parts[2]).astype("<u2")
    truth = np.stack([part * 255 / (2**most - 1) for part, most in zip(parts, bits, strict=True)], -1)
    return np.pad(packed, ((0, 0), (0, pixels.shape[1] % 2)))[::-1].tobytes(), truth


@pytest.mark.parametrize("width", [32, 31])
@pytest.mark.parametrize(
    ("bits", "masks"),
    [((5, 5, 5), ()), ((5, 5, 5), (0x7C00, 0x3E0, 0x1F)), ((5, 6, 5), (0xF800, 0x7E0, 0x1F))],
    ids=["555", "555-said", "565"],
)
def test_a_bmp_of_16_bits_is_read(bits, masks, width):
    body, truth = words(bits, COLOURS[:, :width])
    data = bmp(16, 3 if masks else 0, body, struct.pack(f"<{len(masks)}I", *masks), width)
    pixels, notes = told(data)
    np.testing.assert_allclose(pixels, truth, atol=1)
    assert not notes


ODD_BMP = {
    "masks-4-4-4": bmp(16, 3, words((4, 4, 4), COLOURS)[0], struct.pack("<3I", 0xF00, 0xF0, 0xF)),
    "masks-10-10-10": bmp(32, 3, bytes(4 * 32 * 24), struct.pack("<3I", 0x3FF00000, 0xFFC00, 0x3FF)),
    "64-bits": bmp(64, 0, bytes(8 * 32 * 24)),
    "2-bits": bmp(2, 0, bytes(8 * 24), PALETTE[:4].tobytes()),
    "a-jpeg-within": bmp(0, 4, encoded(COLOURS, "JPEG")),
    "cmyk": bmp(32, 11, bytes(4 * 32 * 24)),
}


@pytest.mark.parametrize("name", ODD_BMP)
def test_a_bmp_that_is_not_read_is_refused_by_name(name):
    text = reason(ODD_BMP[name])
    assert "A BMP of a kind that is not read here (Unsupported BMP" in text
    assert "PNG" in text
    assert "damaged" not in text


# === JPEG with profiles of other colours than RGB ===


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_grey_with_a_profile_comes_out_as_srgb(kind):
    stored = np.repeat(np.linspace(40, 230, 24).astype(np.uint8)[:, None], 32, axis=1)
    light = (stored / 255.0) ** 1.5
    truth = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    options = {"quality": 98} if kind == "JPEG" else {}
    pixels, notes = told(encoded(stored, kind, icc_profile=grey_profile(1.5), **options))
    assert np.abs(stored - truth).mean() > 10, "ignored, the profile would show"
    np.testing.assert_allclose(pixels, grey3(truth), atol=3)
    assert "Grey 1.5" in notes


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_with_a_profile_comes_out_in_the_colours_of_its_inks(kind):
    """A patch for each mixture of full inks, and one of black."""
    patches = np.array([[*inks, 0] for inks in INKS] + [[0, 0, 0, 1]], np.uint8) * 255
    truth = np.array([*INKS.values(), BLACK])
    blown = [np.repeat(np.repeat(part.reshape(3, 3, -1), 16, 0), 16, 1) for part in (patches, truth)]
    stored = Image.frombytes("CMYK", (48, 48), blown[0].tobytes())
    options = {"quality": 98, "subsampling": 0} if kind == "JPEG" else {}
    pixels, notes = told(encoded(stored, kind, icc_profile=cmyk_profile(), **options))
    plain = decoder.decode(encoded(stored, kind, **options))
    assert np.abs(plain - blown[1]).mean() > 20, "ignored, the profile would show"
    np.testing.assert_allclose(pixels.astype(int), blown[1], atol=5)
    assert "Press" in notes


def test_a_profile_for_other_pixels_is_ignored_in_a_jpeg_and_told():
    cmyk = Image.fromarray(COLOURS).convert("CMYK")
    for stored, icc in ((Image.fromarray(GREY), cmyk_profile()), (cmyk, profile("Adobe RGB")), (cmyk, grey_profile(2))):
        plain = decoder.decode(encoded(stored, "JPEG"))
        pixels, notes = told(encoded(stored, "JPEG", icc_profile=icc))
        np.testing.assert_array_equal(pixels, plain)
        assert "other kinds of pixels" in notes
