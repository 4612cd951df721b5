"""Odd but honest files: each is read right, compared with the truth, or refused with the true cause."""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfcore.errors import ImageError
from dfcore.imaging import colour, decoder, jpeg, sandbox
from tests.icc import SPACES, profile
from tests.security.hostile_images import _PIXELS, _chunk, _png, _tiff

CASES = Path(__file__).parents[3] / "shared" / "cases"
ORIENTATION = 0x0112

ROWS, COLUMNS = np.mgrid[:24, :32]
COLOURS = np.stack([ROWS * 9, COLUMNS * 7, 255 - ROWS - COLUMNS], axis=-1).astype(np.uint8)
GREY = COLOURS[..., 1]


def grey3(grey: np.ndarray) -> np.ndarray:
    return grey[..., None].repeat(3, axis=-1)


def encoded(pixels: np.ndarray | Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def told(data: bytes) -> tuple[np.ndarray, str]:
    """Pixels and notes, in the decoding process; both must be as here."""
    facts = sandbox.check(data)
    pixels = sandbox.decode(data)
    np.testing.assert_array_equal(pixels, decoder.decode(data))
    assert facts == decoder.describe(data)
    assert facts.pixels_sha256 == decoder.pixels_digest(pixels)
    assert (facts.height, facts.width) == pixels.shape[:2]
    return pixels, " ".join(facts.notes)


def reason(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decoder.decode(data)
    return str(caught.value)


# === The cases that people met ===

EXACT = {
    "planar16.tif": "", "miniswhite16.tif": "", "thumb_first.tif": "full-resolution", "twelve_in_16.tif": "12 bits",
    "bmp32_v4_alpha0.bmp": "alpha", "gama_linear16.png": "gamma", "badcrc_text.png": "tEXt",
}  # fmt: skip
LOSSY = {"no_eoi.jpg": "no end marker", "photo.heic": "", "photo_mif1.heic": ""}
REFUSED = {
    "camera.dng": r"camera RAW \(DNG\).*export it as JPEG or TIFF", "planar_grey_alpha.tif": "separate planes",
    "rgb_float.tif": "Floating-point", "jp2k_tiff.tif": "JPEG 2000", "int16.tif": "16-bit signed",
}  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize("name", [*EXACT, *LOSSY])
def test_a_case_is_read_as_the_picture_that_it_was_made_from(name):
    base = decoder.decode(CASES / "bad_formats" / "base.png")
    pixels, notes = told((CASES / "bad_formats" / name).read_bytes())
    grey = decoder.decode(CASES / "bad_formats" / "base_grey.png")
    off = min(np.abs(pixels.astype(int) - truth).mean() for truth in (base, grey))
    assert off < (0.01 if name in EXACT else 8)
    assert (EXACT | LOSSY)[name] in notes
    assert bool(notes) == bool((EXACT | LOSSY)[name])


@pytest.mark.shared
@pytest.mark.parametrize("name", REFUSED)
def test_a_case_is_refused_with_its_true_cause(name):
    with pytest.raises(ImageError, match=REFUSED[name]) as caught:
        sandbox.check((CASES / "bad_formats" / name).read_bytes())
    assert "Not an image" not in str(caught.value)


@pytest.mark.shared
@pytest.mark.parametrize("path", ["phone/IMG_4.HEIC", "phone/IMG_5", "phone/IMG_6.jpg_large", "download.jfif"])
def test_a_case_is_read_whatever_its_name(path):
    assert told((CASES / path).read_bytes())[0].size


# === TIFF: layouts ===


def tiff(samples: np.ndarray, colour_kind: int, planar: bool = False, endian: str = "<", **more) -> bytes:
    """An uncompressed TIFF of uint8 or uint16 (H, W) or (H, W, channels)."""
    height, width, count = (*samples.shape, 1)[:3]
    kind = samples.dtype.newbyteorder(endian)
    planes = np.moveaxis(samples, -1, 0) if planar else samples
    size = samples.nbytes // (count if planar else 1)
    tags = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [8 * samples.itemsize] * count), 259: (3, [1]),
        262: (3, [colour_kind]), 277: (3, [count]), 278: (4, [height]), 284: (3, [1 + planar]),
    }  # fmt: skip
    tags[273] = (4, [_PIXELS]) if not planar else (4, [8 + number * size for number in range(count)])
    tags[279] = (4, [size] * (count if planar else 1))
    tags |= {int(tag): value for tag, value in more.items()}
    if not planar:
        return _tiff(tags, planes.astype(kind).tobytes(), endian=endian)
    body = planes.astype(kind).tobytes()
    return _with_pixels_first(tags, body, endian)


def _with_pixels_first(tags: dict, body: bytes, endian: str) -> bytes:
    """The directory behind the pixels, which begin at 8."""
    head = (b"II*\0" if endian == "<" else b"MM\0*") + struct.pack(endian + "I", 8 + len(body))
    entries, rest, at = b"", b"", 8 + len(body) + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"{endian}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        place = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack(endian + "I", at + len(rest))
        rest += packed if len(packed) > 4 else b""
        entries += struct.pack(endian + "HHI", tag, kind, len(values)) + place
    return head + body + struct.pack(endian + "H", len(tags)) + entries + bytes(4) + rest


def wide(samples: np.ndarray) -> np.ndarray:
    """16 bits whose low bytes tell bytes in the wrong order."""
    return samples.astype(np.uint16) << 8 | (255 - samples)


INK = np.concatenate([COLOURS, np.zeros((24, 32, 1), np.uint8)], axis=-1)
ALPHA = np.concatenate([COLOURS, np.full((24, 32, 1), 255, np.uint8)], axis=-1)
LAYOUTS = [
    pytest.param(lambda e: tiff(wide(COLOURS), 2, True, e), COLOURS, id="planar-rgb-16"),
    pytest.param(lambda e: tiff(COLOURS, 2, True, e), COLOURS, id="planar-rgb-8"),
    pytest.param(lambda e: tiff(wide(COLOURS), 2, False, e), COLOURS, id="rgb-16"),
    pytest.param(lambda e: tiff(wide(ALPHA), 2, True, e, **{"338": (3, [2])}), COLOURS, id="planar-rgba-16"),
    pytest.param(lambda e: tiff(wide(INK), 5, True, e), 255 - COLOURS, id="planar-cmyk-16"),
    pytest.param(lambda e: tiff(wide(INK), 5, False, e), 255 - COLOURS, id="cmyk-16"),
    pytest.param(lambda e: tiff(wide(GREY), 1, False, e), grey3(GREY), id="grey-16"),
    pytest.param(lambda e: tiff(65535 - wide(GREY), 0, False, "<"), grey3(GREY), id="white-is-zero-16"),
    pytest.param(lambda e: tiff(255 - GREY, 0, False, e), grey3(GREY), id="white-is-zero-8"),
    pytest.param(lambda e: tiff(wide(GREY) >> 4, 1, False, e), grey3(GREY), id="12-in-16"),
    pytest.param(lambda e: tiff(wide(GREY) >> 6, 1, False, e), grey3(GREY), id="10-in-16"),
    pytest.param(lambda e: tiff(4095 - (wide(GREY) >> 4), 0, False, "<"), grey3(GREY), id="white-is-zero-12-in-16"),
    pytest.param(lambda e: tiff(wide(COLOURS) >> 4, 2, False, e), COLOURS, id="rgb-12-in-16"),
    pytest.param(lambda e: tiff(wide(GREY) >> 2, 1, False, e, **{"281": (3, [16383])}), grey3(GREY), id="14-stated"),
]  # fmt: skip


@pytest.mark.parametrize("endian", "<>")
@pytest.mark.parametrize(("make", "truth"), LAYOUTS)
def test_a_layout_of_tiff_gives_the_truth(make, truth, endian):
    pixels, notes = told(make(endian))
    np.testing.assert_allclose(pixels.astype(int), truth, atol=1)
    assert not notes or "were read as samples of" in notes


def test_fewer_bits_than_sixteen_are_told():
    assert "read as samples of 12 bits" in told(tiff(wide(GREY) >> 4, 1))[1]
    assert "read as samples of 12 bits" in told(encoded(wide(GREY) >> 4, "PNG"))[1]
    dark = "the picture is dark, or its samples have fewer bits"
    assert dark in told(tiff(wide(GREY) >> 2, 1))[1]
    assert dark in told(encoded(wide(GREY) >> 6, "PNG"))[1]
    assert not told(encoded(wide(GREY), "PNG"))[1]


ODD = [
    pytest.param(tiff(np.stack([GREY, GREY], -1), 1, True, **{"338": (3, [2])}), "separate planes", id="planar-alpha"),
    pytest.param(tiff(wide(GREY), 1, **{"339": (3, [2])}), "16-bit signed", id="int16"),
    pytest.param(tiff(GREY, 1, **{"339": (3, [2])}), "8-bit signed", id="int8"),
    pytest.param(tiff(wide(COLOURS), 2, **{"339": (3, [3] * 3)}), "Floating-point", id="half-floats"),
    pytest.param(tiff(COLOURS, 2, **{"258": (3, [32] * 3)}), "32-bit integer", id="32-bit"),
    pytest.param(tiff(COLOURS, 2, **{"259": (3, [34712])}), "JPEG 2000", id="jpeg-2000"),
    pytest.param(tiff(COLOURS, 2, **{"259": (3, [50001])}), "WebP", id="webp"),
    pytest.param(tiff(COLOURS, 2, **{"259": (3, [50002])}), "JPEG XL", id="jpeg-xl"),
    pytest.param(tiff(COLOURS, 2, **{"259": (3, [4711])}), "of kind 4711", id="unknown-compression"),
    pytest.param(tiff(COLOURS, 8), "Lab", id="lab"),
    pytest.param(tiff(COLOURS, 6, **{"530": (3, [2, 2])}), "YCbCr", id="ycbcr-subsampled"),
    pytest.param(tiff(COLOURS, 1), "3 samples", id="grey-of-3"),
    pytest.param(tiff(COLOURS, 2, **{"258": (3, [5, 6, 5])}), "different depths", id="5-6-5"),
    pytest.param(tiff(INK, 5, **{"332": (3, [2])}), "CMYK", id="other-inks"),
    pytest.param(tiff(65535 - wide(GREY), 0, endian=">"), "white is zero", id="white-is-zero-big-endian"),
]


@pytest.mark.parametrize(("data", "cause"), ODD)
def test_a_layout_that_is_not_read_right_is_refused_with_its_cause(data, cause):
    text = reason(data)
    assert cause in text
    assert "8 or 16 bits" in text, "it says what would be right"
    assert "Not an image" not in text


FEW_BITS = [
    pytest.param(tiff(wide(COLOURS) >> 4, 2, True), id="planar"),
    pytest.param(tiff(wide(ALPHA) >> 4, 2, **{"338": (3, [2])}), id="with-alpha"),
    pytest.param(tiff(wide(INK) >> 4, 5), id="cmyk"),
    pytest.param(tiff(wide(INK) >> 6, 5, True), id="planar-cmyk"),
]


@pytest.mark.parametrize("data", FEW_BITS)
def test_fewer_bits_where_they_cannot_be_read_are_refused_and_not_near_black(data):
    assert "fewer than 16 bits" in reason(data)


def test_every_layout_that_pillow_writes_is_read():
    for mode, options in (
        ("L", {}), ("RGB", {"compression": "tiff_lzw"}), ("RGB", {"compression": "jpeg", "quality": 98}), ("CMYK", {}),
        ("P", {}), ("1", {"compression": "group4"}), ("RGBA", {"compression": "zstd"}), ("LA", {}), ("YCbCr", {}),
        ("I;16", {"compression": "packbits"}), ("RGB", {"big_tiff": True}),
    ):  # fmt: skip
        image = Image.fromarray(wide(GREY)) if mode == "I;16" else Image.fromarray(COLOURS).convert(mode)
        truth = grey3(GREY) if mode == "I;16" else np.asarray(image.convert("RGB"))
        pixels, notes = told(encoded(image, "TIFF", **options))
        assert np.abs(pixels.astype(int) - truth).mean() < 3, mode
        assert not notes


# === TIFF: pages, and RAW ===


def pages(*pictures: tuple[np.ndarray, dict]) -> bytes:
    """A TIFF of several pages, with more tags each; Pillow writes no SubIFDs, so they are chained."""
    first, *others = [Image.fromarray(pixels) for pixels, _ in pictures]
    for image, (_, tags) in zip([first, *others], pictures, strict=True):
        image.encoderinfo = {"tiffinfo": tags} if tags else {}
    return encoded(first, "TIFF", save_all=True, append_images=others, tiffinfo=pictures[0][1])


SMALL = COLOURS[::4, ::4]


def below(thumb: np.ndarray, full: bytes, **more) -> bytes:
    """A TIFF whose first page is a thumbnail, with the full picture's directory below it."""
    start = tiff(thumb, 2, **{"254": (4, [1]), "330": (4, [0]), **more})
    shift = len(start) + len(start) % 2
    moved = bytearray(full[8:])
    offset = struct.unpack_from("<I", full, 4)[0]
    for number in range(struct.unpack_from("<H", full, offset)[0]):
        at = offset + 2 + 12 * number
        tag, kind, count = struct.unpack_from("<HHI", full, at)
        far = count * {3: 2, 4: 4}[kind] > 4
        if far or tag == 273:
            struct.pack_into("<I", moved, at, struct.unpack_from("<I", full, at + 8)[0] + shift - 8)
    result = bytearray(start.ljust(shift, b"\0") + moved)
    place = bytes(result).index(struct.pack("<HHI", 330, 4, 1)) + 8
    struct.pack_into("<I", result, place, shift + offset - 8)
    return bytes(result)


def test_the_full_picture_below_a_thumbnail_is_read():
    pixels, notes = told(below(SMALL, tiff(COLOURS, 2)))
    np.testing.assert_array_equal(pixels, COLOURS)
    assert "full-resolution one was read" in notes


def test_the_full_picture_below_a_thumbnail_stands_as_the_thumbnail_says():
    pixels, _ = told(below(SMALL, tiff(COLOURS, 2), **{"274": (3, [6])}))
    np.testing.assert_array_equal(pixels, np.rot90(COLOURS, -1))


@pytest.mark.parametrize("mark", [{}, {254: 1}], ids=["without-a-mark", "reduced"])
def test_a_thumbnail_before_the_picture_is_passed_over(mark):
    pixels, notes = told(pages((SMALL, mark), (COLOURS, {})))
    np.testing.assert_array_equal(pixels, COLOURS)
    assert "smaller copy" in notes


def test_a_pyramid_is_read_at_its_full_size():
    data = pages((COLOURS, {}), (COLOURS[::2, ::2], {254: 1}), (SMALL, {254: 1}))
    np.testing.assert_array_equal(told(data)[0], COLOURS)


def test_of_a_document_the_first_page_is_read_and_told():
    other = np.zeros((30, 24, 3), np.uint8)
    for second in (np.zeros_like(COLOURS), other):
        data = pages((COLOURS, {}), (second, {}), (second, {}))
        pixels, notes = told(data)
        np.testing.assert_array_equal(pixels, COLOURS)
        assert "3 pages; only one of them, page 1, was read" in notes
        assert decoder.describe(data).animated


def by_maker(name: bytes, compression: int) -> bytes:
    return below(SMALL, tiff(GREY, 1, **{"259": (3, [compression])}), **{"271": (2, list(name))})


RAW = [
    pytest.param(tiff(SMALL, 2, **{"50706": (1, [1, 4, 0, 0])}), "DNG", id="dng"),
    pytest.param(below(SMALL, tiff(GREY, 32803)), "RAW", id="sensor-data-below-a-thumbnail"),
    pytest.param(by_maker(b"NIKON CORPORATION\0", 34713), "NEF", id="nef"),
    pytest.param(by_maker(b"SONY\0", 32767), "ARW", id="arw"),
    pytest.param(by_maker(b"PENTAX\0", 65535), "PEF", id="pef"),
    pytest.param(b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + tiff(SMALL, 2)[8:], "CR2", id="cr2"),
    pytest.param(b"FUJIFILMCCD-RAW 0201" + bytes(99), "RAF", id="raf"),
    pytest.param(b"IIRO" + bytes(99), "ORF", id="orf"),
    pytest.param(b"IIU\0" + bytes(99), "RW2", id="rw2"),
    pytest.param(b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(99), "CR3", id="cr3"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "kind"), RAW)
def test_a_camera_raw_is_refused_by_name_and_not_judged_by_its_thumbnail(data, kind):
    text = reason(data)
    assert text.startswith("A camera RAW")
    assert kind in text
    assert "export it as JPEG or TIFF" in text


# === PNG and BMP ===


def with_chunk(data: bytes, name: bytes, body: bytes, *, sound: bool = True) -> bytes:
    """A chunk behind the header of a PNG."""
    return data[:33] + _chunk(name, body, crc=None if sound else zlib.crc32(name + body) ^ 1) + data[33:]


def coded(gamma: float, samples: np.ndarray, most: int) -> np.ndarray:
    return np.rint(most * (samples / 255) ** (2.2 * gamma)).astype(np.uint16 if most > 255 else np.uint8)


def rows16(samples: np.ndarray) -> bytes:
    body = samples.astype(">u2").reshape(len(samples), -1).tobytes()
    step = len(body) // len(samples)
    return zlib.compress(b"".join(b"\0" + body[at : at + step] for at in range(0, len(body), step)))


@pytest.mark.parametrize("gamma", [1.0, 0.5556, 0.3])
def test_samples_of_another_gamma_come_out_as_the_picture(gamma):
    chunk = struct.pack(">I", round(gamma * 1e5))
    bright = np.maximum(COLOURS, 40)
    files = {
        "rgb-16": _png(32, 24, 16, 2, rows16(coded(gamma, bright, 65535))),
        "grey-16": encoded(coded(gamma, bright[..., 1], 65535), "PNG"),
        "rgb-8": encoded(coded(gamma, bright, 255), "PNG"),
        "rgba-8": encoded(np.dstack([coded(gamma, bright, 255), np.full((24, 32), 255, np.uint8)]), "PNG"),
    }
    for name, data in files.items():
        pixels, notes = told(with_chunk(data, b"gAMA", chunk))
        truth = grey3(bright[..., 1]) if name == "grey-16" else bright
        assert np.abs(pixels.astype(int) - truth).max() <= (1 if "16" in name else 4), name
        assert f"gamma {gamma:.3g}" in notes


def test_the_gamma_that_srgb_has_changes_nothing():
    data = encoded(COLOURS, "PNG")
    for gamma in (45455, 45000):
        pixels, notes = told(with_chunk(data, b"gAMA", struct.pack(">I", gamma)))
        np.testing.assert_array_equal(pixels, COLOURS)
        assert not notes
    both = with_chunk(with_chunk(data, b"gAMA", struct.pack(">I", 100_000)), b"sRGB", b"\0")
    np.testing.assert_array_equal(told(both)[0], COLOURS)
    text = with_chunk(data, b"tEXt", b"gamma\x00one")
    np.testing.assert_array_equal(told(text)[0], COLOURS)


def test_other_primaries_are_told():
    chunk = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    assert "other primaries" in told(with_chunk(encoded(COLOURS, "PNG"), b"cHRM", chunk))[1]


@pytest.mark.parametrize("name", [b"tEXt", b"zTXt", b"tIME", b"prVt"])
def test_a_damaged_side_chunk_is_left_out_and_told(name):
    data = with_chunk(encoded(COLOURS, "PNG"), name, b"a\0bc", sound=False)
    pixels, notes = told(data)
    np.testing.assert_array_equal(pixels, COLOURS)
    assert name.decode() in notes


def test_damaged_transparency_is_damage():
    assert "damaged" in reason(with_chunk(encoded(GREY, "PNG"), b"tRNS", b"\0\1", sound=False))


def test_a_bmp_without_a_trace_of_alpha_is_opaque():
    clear = np.concatenate([COLOURS, np.zeros((24, 32, 1), np.uint8)], axis=-1)
    pixels, notes = told(bmp(clear))
    np.testing.assert_array_equal(pixels, COLOURS)
    assert "taken for opaque" in notes
    clear[0, 0, 3] = 255
    pixels, notes = told(bmp(clear))
    assert (pixels[1:] == 255).all()
    assert not notes


def bmp(rgba: np.ndarray) -> bytes:
    """A BMP with masks for four channels (V4), top-down."""
    height, width = rgba.shape[:2]
    body = rgba[..., [2, 1, 0, 3]].tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", 108, width, -height, 1, 32, 3, len(body), 2835, 2835, 0, 0) + masks
    return struct.pack("<2sIHHI", b"BM", 122 + len(body), 0, 0, 122) + head.ljust(108, b"\0") + body


def test_a_picture_of_nothing_but_transparency_is_told():
    clear = np.concatenate([COLOURS, np.zeros((24, 32, 1), np.uint8)], axis=-1)
    for kind in ("PNG", "TIFF"):
        assert "Every pixel is transparent" in told(encoded(clear, kind))[1]


# === JPEG ===

BIG = np.random.default_rng(0).integers(0, 256, (64, 80, 3)).astype(np.uint8)
JPEGS = {
    "plain": encoded(BIG, "JPEG"),
    "progressive": encoded(BIG, "JPEG", progressive=True),
    "restarts": encoded(BIG, "JPEG", restart_marker_rows=1),
    "grey": encoded(BIG[..., 0], "JPEG"),
    "cmyk": encoded(Image.fromarray(BIG).convert("CMYK"), "JPEG"),
    "all-grey": encoded(np.full((64, 80, 3), 128, np.uint8), "JPEG"),
}


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("tail", [b"", b"\xff", bytes(300)], ids=["nothing", "half-a-marker", "zeros"])
def test_a_jpeg_without_its_end_marker_is_read_and_told(name, tail):
    pixels, notes = told(JPEGS[name][:-2] + tail)
    np.testing.assert_array_equal(pixels, decoder.decode(JPEGS[name]))
    assert notes == jpeg.NO_END
    assert not decoder.describe(JPEGS[name]).notes


@pytest.mark.parametrize("name", sorted(set(JPEGS) - {"all-grey"}))
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.95])
def test_a_jpeg_that_breaks_off_is_never_judged_by_the_grey_that_fills_it(name, share):
    data = JPEGS[name]
    cut = data[: int(share * len(data))]
    for bad in (cut, cut + bytes(len(data) - len(cut))):
        text = reason(bad)
        assert "damaged or incomplete" in text
        assert "missing" in text or "first pixel" in text
    if name in ("plain", "grey"):
        assert "missing" in reason(cut + b"\xff\xd9"), "an end marker does not make it whole"


def test_how_much_of_a_jpeg_is_missing_is_told():
    data = JPEGS["plain"]
    scan = data.index(b"\xff\xda")
    assert "the lower 5" in reason(data[: scan + (len(data) - scan) // 2])


def test_what_follows_a_jpeg_changes_nothing():
    pixels, notes = told(JPEGS["plain"] + b"more" * 99 + JPEGS["grey"][:500])
    np.testing.assert_array_equal(pixels, decoder.decode(JPEGS["plain"]))
    assert not notes


def test_jpegs_of_other_kinds_are_refused_with_their_cause():
    frame = JPEGS["plain"].index(b"\xff\xc0")
    lossless = bytearray(JPEGS["plain"])
    lossless[frame + 1] = 0xC3
    deep = bytearray(JPEGS["plain"])
    deep[frame + 4] = 12
    assert "lossless" in reason(bytes(lossless))
    assert "12 bits" in reason(bytes(deep))


# === What is no picture ===

FOREIGN = {
    b"%PDF-1.7\n": "PDF", b"<!DOCTYPE html><p>": "web page", b"\n <html lang=en>": "web page",
    b'<?xml version="1.0"?><svg xmlns="">': "SVG", b"<svg >": "SVG", b"<?xml version='1.0'?><Error>": "XML",
    b"\x1a\x45\xdf\xa3....webm": "WebM", b"\x1a\x45\xdf\xa3...matroska": "Matroska",
    b"\0\0\0\x18ftypisom\0\0\0\0mp42": r"video \(MP4\).*extract frames", b"\0\0\0\x14ftypqt  ": "QuickTime",
    b"RIFF....AVI LIST": "AVI", b"RIFF....WAVEfmt ": "sound", b"ID3\3": "MP3", b"PK\3\4....": "zip",
    b"PK\3\4..............word/document.xml": "Word", b"Rar!\x1a\7": "RAR", b"\x1f\x8b\x08": "gzip",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0": "git lfs pull", b'{"error": "no"}': "JSON",
    b"just a text": "text", b"data:image/png;base64,AAAA": "data URL", b"https://example.org/a.jpg": "web address",
    b"\xff\x0a" + bytes(20): "JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"8BPS\0\1": "Photoshop", b"\0\5\x16\7\0\2": "AppleDouble", bytes(5000): "5,000 zero bytes",
    b"P6\n1 1\n255\nabc": "Netpbm", b"\0\0\1\0\1\0": "icon", "ein Bär".encode("utf-16"): "text",
    b"\x9c\x81\x02\xfe\x00\x13": "unknown kind",
}  # fmt: skip


@pytest.mark.parametrize("start", FOREIGN, ids=[str(n) for n in range(len(FOREIGN))])
def test_the_reason_names_what_the_file_is(start):
    with pytest.raises(ImageError, match=FOREIGN[start]) as caught:
        sandbox.check(start + b" " * 50 if start.strip(b"\0") else start)
    assert str(caught.value).startswith("Not an image that is read here, but ")
    assert ": " in str(caught.value)


def test_a_picture_that_broke_off_is_not_called_a_foreign_file():
    for kind in ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "AVIF"):
        text = reason(encoded(COLOURS, kind)[:40])
        assert "Not an image" not in text, kind
        assert "damaged" in text, kind


# === HEIC ===


def heic(*pictures: np.ndarray, mode: str = "RGB", **options) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = pillow_heif.HeifFile()
    for pixels in pictures:
        file.add_frombytes(mode, pixels.shape[1::-1], pixels.tobytes())
    buffer = io.BytesIO()
    file.save(buffer, quality=95, chroma=444, **options)
    return buffer.getvalue()


PATCHES = np.stack([np.arange(6).reshape(2, 3) * 40, np.full((2, 3), 90), np.full((2, 3), 10)], -1)
PATCHES = PATCHES.astype(np.uint8).repeat(32, axis=0).repeat(32, axis=1)


def test_heic_is_read_whatever_its_name(tmp_path):
    data = heic(PATCHES)
    for name in ("photo.HEIC", "photo.heif", "photo.jpg", "photo"):
        (tmp_path / name).write_bytes(data)
        assert np.abs(decoder.decode(tmp_path / name).astype(int) - PATCHES).mean() < 3
    assert {".heic", ".heif", ".hif"} <= decoder.SUFFIXES
    assert sandbox.check(data).format == "HEIF"


@pytest.mark.parametrize("turn", range(1, 9))
def test_heic_stands_upright_by_turning_once(turn):
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(PATCHES, "HEIF", quality=95, chroma=444, exif=exif.tobytes())
    truth = decoder.decode(encoded(PATCHES, "PNG", exif=exif))
    pixels, _ = told(data)
    assert pixels.shape == truth.shape
    assert np.abs(pixels.astype(int) - truth).mean() < 3


def test_of_several_pictures_in_a_heic_the_primary_one_is_read():
    dark = np.zeros_like(PATCHES)
    for first in (0, 1):
        pictures = [dark, dark]
        pictures[first] = PATCHES
        pixels, notes = told(heic(*pictures, primary_index=first))
        assert np.abs(pixels.astype(int) - PATCHES).mean() < 3
        assert "2 pictures; the primary one" in notes


def test_heic_of_ten_bits_and_with_transparency_is_read():
    deep = heic((PATCHES.astype(np.uint16) << 8).astype("<u2"), mode="RGB;16")
    assert np.abs(told(deep)[0].astype(int) - PATCHES).mean() < 3
    clear = np.concatenate([PATCHES, np.zeros((*PATCHES.shape[:2], 1), np.uint8)], axis=-1)
    clear[:, :48, 3] = 255
    pixels = told(heic(clear, mode="RGBA"))[0]
    assert np.abs(pixels[:, :44].astype(int) - PATCHES[:, :44]).mean() < 4
    assert (pixels[:, 52:] > 250).all()


def test_without_its_extra_heic_is_refused_by_naming_it(monkeypatch):
    data = heic(PATCHES)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"iPhone photo in HEIC.*pip install 'dfcore\[heic\]'.*JPEG"):
        decoder.decode(data)


# === Colour profiles ===


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("space", SPACES)
def test_colours_of_another_space_come_out_as_srgb(space, kind):
    from PIL import ImageCms

    mild = np.clip(PATCHES.astype(int) // 2 + 60, 0, 255).astype(np.uint8)
    other = ImageCms.ImageCmsProfile(io.BytesIO(profile(space)))
    stored = ImageCms.profileToProfile(Image.fromarray(mild), ImageCms.createProfile("sRGB"), other)
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}, "AVIF": {"quality": 98}}
    pixels, notes = told(encoded(stored, kind, icc_profile=profile(space), **options.get(kind, {})))
    assert np.abs(np.asarray(stored).astype(int) - mild).mean() > 3, "ignored, the profile would show"
    assert np.abs(pixels.astype(int) - mild).mean() < 1.5
    assert space in notes


def test_a_profile_of_srgb_changes_no_pixel():
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels, notes = told(encoded(COLOURS, "PNG", icc_profile=srgb))
    np.testing.assert_array_equal(pixels, COLOURS)
    assert not notes


@pytest.mark.parametrize("icc", [b"garbage" * 99, profile("Display P3")[:300], bytes(5 * 2**20)])
def test_a_profile_that_is_none_is_ignored_and_told(icc):
    pixels, notes = told(encoded(COLOURS, "TIFF", icc_profile=icc))
    np.testing.assert_array_equal(pixels, COLOURS)
    assert "ignored" in notes


def test_a_profile_for_other_pixels_is_ignored_and_told():
    pixels, notes = told(encoded(GREY, "PNG", icc_profile=profile("Adobe RGB")))
    np.testing.assert_array_equal(pixels, grey3(GREY))
    assert "other kinds of pixels" in notes
    assert colour.conversion(Image.fromarray(GREY)) == (None, [])
