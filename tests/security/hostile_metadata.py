"""Hostile metadata, made in code and always the same: what is read of a file beside its pixels.

A sibling of `hostile_images`: those files are for the decoder, which ignores most of what stands here. Every file is a
sound small picture; only its metadata are made to crash, hang or fill the memory.
"""

import json
import struct
from collections.abc import Iterator

from tests.security.hostile_images import (
    _PNG_MAGIC,
    MB,
    Hostile,
    _after_start,
    _box,
    _chunk,
    _deflated_zeros,
    _encoded,
    _exif,
    _noise,
    _segment,
    _tiff,
)

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_RDF = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="b">'


def corpus() -> Iterator[Hostile]:
    """All files, one after another; their names all differ."""
    for family in (
        xmp_packets,
        exif_blocks,
        png_texts,
        generator_texts,
        jumbf_boxes,
        iptc_blocks,
        jpeg_comments,
        profiles,
    ):
        yield from family()


def _item(kind: str, name: str, data: bytes) -> Hostile:
    return Hostile(f"{kind}-{name}", data, kind, "either")


def _jpeg(segments: bytes) -> bytes:
    return _after_start(_encoded(_noise(), "JPEG"), segments)


def _png(*chunks: bytes) -> bytes:
    plain = _encoded(_noise(), "PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def _png_xmp(packet: bytes) -> bytes:
    return _png(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))


# === XMP ===


def xmp_packets() -> Iterator[Hostile]:
    """Entities, nesting, length."""
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 10))
    packets = {
        "billion-laughs": b'<!DOCTYPE x [<!ENTITY l0 "ha">' + laughs + b"]><x>&l9;</x>",
        "quadratic": b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 50_000 + b'">]><x>' + b"&a;" * 50_000 + b"</x>",
        "external": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
        "external-url": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>',
        "parameter": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]><x/>',
        "nested": _RDF + b"<rdf:Description>" + b"<a:b>" * 60_000,
        "nested-closed": _RDF + b"<rdf:Description>" + b"<a:b>" * 60_000 + b"</a:b>" * 60_000
        + b"</rdf:Description></rdf:RDF>",
        "many-attributes": _RDF + b"<rdf:Description " + b" ".join(b'a:n%d="x"' % n for n in range(60_000))
        + b"/></rdf:RDF>",
        "many-descriptions": _RDF + b"<rdf:Description a:b='c'/>" * 60_000 + b"</rdf:RDF>",
        "long-name": _RDF + b"<rdf:Description a:" + b"n" * MB + b"='x'/></rdf:RDF>",
        "long-value": _RDF + b"<rdf:Description a:b='" + b"v" * (3 * MB) + b"'/></rdf:RDF>",
        "long-list": _RDF + b"<rdf:Description><a:b><rdf:Seq>" + b"<rdf:li>x</rdf:li>" * 100_000
        + b"</rdf:Seq></a:b></rdf:Description></rdf:RDF>",
        "too-large": _RDF + b" " * (10 * MB) + b"</rdf:RDF>",
        "no-xml": bytes(range(256)) * 100,
        "utf-16-lie": b'<?xml version="1.0" encoding="utf-16"?><x/>',
        "encoding-unknown": b'<?xml version="1.0" encoding="nothing-like-it"?><x/>',
        "endless-packet": b"<?xpacket" * 300_000,
    }  # fmt: skip
    for name, packet in packets.items():
        yield _item("xmp", f"{name}.png", _png_xmp(packet))
        if len(packet) < 65_000:
            yield _item("xmp", f"{name}.jpg", _jpeg(_segment(0xE1, _XMP + packet)))
    yield _item(
        "xmp", "packed-bomb.png", _png(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _deflated_zeros(900 * MB)))
    )


# === EXIF ===


def exif_blocks() -> Iterator[Hostile]:
    """Directories that lead to themselves, counts beyond the block, thumbnails that are none."""
    head = b"Exif\0\0II*\0\x08\0\0\0"
    loops = {
        "next-is-itself": head + struct.pack("<HHHII", 1, 0x0112, 3, 1, 1) + struct.pack("<I", 8),
        "camera-is-main": head + struct.pack("<HHHII", 1, 0x8769, 4, 1, 8) + bytes(4),
        "gps-is-main": head + struct.pack("<HHHII", 1, 0x8825, 4, 1, 8) + bytes(4),
        "interop-is-main": head + struct.pack("<HHHII", 1, 0xA005, 4, 1, 8) + bytes(4),
        "all-are-main": head
        + struct.pack("<H", 3)
        + b"".join(struct.pack("<HHII", tag, 4, 1, 8) for tag in (0x8769, 0x8825, 0xA005))
        + struct.pack("<I", 8),
        "many-entries": head + struct.pack("<H", 5_000) + struct.pack("<HHII", 0x010F, 2, 60_000, 8) * 5_000,
        "count-beyond": head + struct.pack("<HHHII", 1, 0x010F, 2, 2**32 - 1, 8) + bytes(4),
        "offset-beyond": head + struct.pack("<HHHII", 1, 0x010F, 2, 100, 2**32 - 1) + bytes(4),
        "odd-type": head + struct.pack("<HHHII", 1, 0x010F, 99, 1, 1) + bytes(4),
        "cut": head + struct.pack("<H", 200),
        "no-header": b"Exif\0\0" + bytes(200),
    }
    for name, block in loops.items():
        yield _item("exif", f"{name}.jpg", _jpeg(_segment(0xE1, block[:65_000])))
        yield _item("exif", f"{name}.png", _png(_chunk(b"eXIf", block[6:])))
    windows = _exif((0x9C9B, (3, [65_535] * 100)), (0x9C9C, (4, [2**31] * 10)))
    yield _item("exif", "windows-text-of-numbers.jpg", _jpeg(_segment(0xE1, windows)))
    gps = _tiff({1: (2, b"N\0"), 2: (5, [1, 0, 1, 0, 1, 0]), 3: (2, b"E\0"), 4: (5, [1, 0, 1, 0, 1, 0])})
    place = _exif((0x8825, (4, [26])), tail=gps[8:])
    yield _item("exif", "place-divided-by-zero.jpg", _jpeg(_segment(0xE1, place)))
    for name, small in {
        "bomb": _encoded(_noise(8, 8), "JPEG").replace(b"\0\x08\0\x08", b"\xff\xff\xff\xff"),
        "png": _encoded(_noise(8, 8), "PNG"),
        "itself": b"",
        "garbage": b"\xff\xd8\xff" + bytes(5_000),
    }.items():
        first = struct.pack("<HHHII", 1, 0x0112, 3, 1, 1) + struct.pack("<I", 26)
        second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 56 if small else 0, 0x0202, 4, 1, len(small) or 56, 0)
        yield _item("exif", f"thumbnail-{name}.jpg", _jpeg(_segment(0xE1, head + first + second + small)))
    comment = b"UNICODE\0" + b"\xd8\x00" * 20_000
    yield _item(
        "exif", "surrogates.jpg", _jpeg(_segment(0xE1, _exif((0x9286, (7, comment)), (0x010F, (2, b"\xff\xfe" * 99)))))
    )
    yield _item("exif", "two-megabytes.png", _png(_chunk(b"eXIf", _tiff({0x010F: (2, b"x" * 2 * MB)}))))


# === Texts ===


def png_texts() -> Iterator[Hostile]:
    """Bombs, ten megabytes of text, thousands of chunks."""
    bomb = _deflated_zeros(900 * MB)
    yield _item("text", "ztxt-bomb.png", _png(_chunk(b"zTXt", b"parameters\0\0" + bomb)))
    yield _item("text", "itxt-bomb.png", _png(_chunk(b"iTXt", b"parameters\0\1\0\0\0" + bomb)))
    yield _item(
        "text", "many-bombs.png", _png(*[_chunk(b"zTXt", b"p%d\0\0" % n + _deflated_zeros(40 * MB)) for n in range(40)])
    )
    yield _item("text", "profile-bomb.png", _png(_chunk(b"iCCP", b"p\0\0" + bomb)))
    yield _item("text", "ten-megabytes.png", _png(_chunk(b"tEXt", b"parameters\0" + b"Steps: 1, " * MB)))
    yield _item("text", "many.png", _png(_chunk(b"tEXt", b"k\0v") * 60_000))
    yield _item("text", "no-end.png", _png(_chunk(b"tEXt", b"k" * 5_000)))
    yield _item("text", "length-lies.png", _png(_chunk(b"tEXt", b"k\0v", length=2**31)))
    yield _item("text", "bad-packing.png", _png(_chunk(b"zTXt", b"k\0\0" + b"no zlib at all")))
    yield _item(
        "text", "raw-profile.png", _png(_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 9\n" + b"zz" * 50_000))
    )
    yield _item(
        "text", "nothing-but-header.png", _PNG_MAGIC + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    )
    control = b"\x1b[31m\x07\r\n\x85" + "\u202e\u2028".encode() + b"<script>alert(1)</script>"
    yield _item("text", "control.png", _png(_chunk(b"iTXt", b"Comment\0\0\0\0\0" + control)))


def generator_texts() -> Iterator[Hostile]:
    """What parsers of prompts are slow at, or recurse into."""
    node = {"class_type": "KSampler", "inputs": {"model": ["1", 0], "positive": ["1", 0], "negative": ["1", 0],
                                                 "sampler_name": "e", "steps": 1, "cfg": 1, "seed": 1}}  # fmt: skip
    chain = {str(n): {**node, "inputs": {**node["inputs"], "positive": [str(n + 1), 0], "negative": [str(n + 1), 0]}}
             for n in range(3_000)}  # fmt: skip
    texts = {
        "deep-json": ("prompt", "[" * 200_000),
        "deep-objects": ("prompt", '{"a":' * 100_000),
        "loop": ("prompt", json.dumps({"1": node})),
        "long-chain": ("prompt", json.dumps(chain)),
        "steps": ("parameters", "Steps: 1, " * 100_000),
        "hashes": ("parameters", "Hashes:{" * 120_000),
        "commas": ("parameters", ",:" * 400_000 + "\nSteps: 1, Sampler: a, CFG scale: 1, Seed: 1"),
        "lines": ("parameters", "a\n" * 400_000),
        "spaces": ("Dream", '"a"' + " " * 500_000 + "x"),
        "huge-number": ("prompt", '{"1": ' + "9" * 900_000 + "}"),
        "nan": ("workflow", '{"nodes": [NaN, Infinity, {"type": {"a": 1}}]}'),
        "wrong-types": ("parameters", '{"base_model": [], "base_model_hash": {}, "sampler": 3, "prompt": {"a": null}}'),
    }
    for name, (keyword, text) in texts.items():
        both = _chunk(b"tEXt", b"workflow\0{}") if keyword == "prompt" else b""
        yield _item("generator", f"{name}.png", _png(_chunk(b"tEXt", keyword.encode() + b"\0" + text.encode()), both))
    spaces = _chunk(b"tEXt", b'Comment\0{"sampler": "a"}') + _chunk(b"tEXt", b"Description\0a")
    yield _item("generator", "novelai-spaces.png", _png(spaces, _chunk(b"tEXt", b"Source\0" + b" " * 500_000 + b"x!")))


# === Content credentials ===


def jumbf_boxes() -> Iterator[Hostile]:
    """Boxes in boxes, lengths that lie, megabytes of nothing."""
    description = _box(b"jumd", b"c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71", b"\x03c2pa\0")
    deep = b""
    for _ in range(3_000):
        deep = _box(b"jumb", description, deep)
    stores = {
        "deep": deep,
        "wide": _box(b"jumb", description, _box(b"jumb", description) * 20_000),
        "length-zero": _box(b"jumb", description, size=0),
        "length-beyond": _box(b"jumb", description, size=2**31),
        "length-one": _box(b"jumb", description, size=1),
        "cut": _box(b"jumb", description)[:20],
        "garbage": bytes(range(256)) * 2_000,
        "zeros": bytes(16 * MB),
        "cbor-bomb": _box(b"jumb", description, _box(b"cbor", b"\x9f" * 500_000)),
        "cbor-length": _box(b"jumb", description, _box(b"cbor", b"\x9b" + b"\xff" * 8)),
        "json-deep": _box(b"jumb", description, _box(b"json", b"[" * 500_000)),
    }
    for name, store in stores.items():
        yield _item("jumbf", f"{name}.png", _png(_chunk(b"caBX", store)))
        part = 60_000
        segments = b"".join(
            _segment(
                0xEB,
                b"JP\0\x01" + struct.pack(">I", number + 1) + (store[:8] if number else b"") + store[at : at + part],
            )
            for number, at in enumerate(range(0, min(len(store), 40 * part), part))
        )
        yield _item("jumbf", f"{name}.jpg", _jpeg(segments))


# === The rest ===


def iptc_blocks() -> Iterator[Hostile]:
    """Lengths that lie, thousands of datasets."""
    start = b"Photoshop 3.0\0"
    blocks = {
        "length-beyond": b"8BIM\x04\x04\0\0" + struct.pack(">I", 2**31) + b"\x1c\x02\x05\0\x05abc",
        "dataset-beyond": b"8BIM\x04\x04\0\0" + struct.pack(">I", 9) + b"\x1c\x02\x05\xff\xff" + b"\xff" * 20,
        "many": b"8BIM\x04\x04\0\0" + struct.pack(">I", 60_000) + b"\x1c\x02\x19\0\x01x" * 10_000,
        "name-beyond": b"8BIM\x04\x04\xff",
        "endless": b"8BIM\0\0\0\0\0\0\0\0" * 5_000,
    }
    for name, block in blocks.items():
        yield _item("iptc", f"{name}.jpg", _jpeg(_segment(0xED, start + block[:65_000])))


def jpeg_comments() -> Iterator[Hostile]:
    """Thousands of comments, and megabytes of them."""
    yield _item("comment", "many.jpg", _jpeg(_segment(0xFE, b"x") * 60_000))
    yield _item("comment", "ten-megabytes.jpg", _jpeg(_segment(0xFE, b"Steps: 1, " * 6_000) * 170))
    yield _item("comment", "fill-bytes.jpg", _jpeg(b"\xff" * 5 * MB))


def profiles() -> Iterator[Hostile]:
    """Colour profiles that are none, in one piece and in thousands."""
    yield _item("profile", "many.jpg", _jpeg(_segment(0xE2, b"ICC_PROFILE\0\1\1" + b"x" * 60_000) * 400))
    lying = b"\xff\xff\xff\xff" + bytes(124) + struct.pack(">I", 2**31)
    yield _item("profile", "lying.jpg", _jpeg(_segment(0xE2, b"ICC_PROFILE\0\1\1" + lying)))
