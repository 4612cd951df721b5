"""ZIP archives with traps in them, made byte by byte, and what is to be said of each entry."""

import io
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

FOLDER, COUNTED = "folder", "counted"
MACHINE = (3 << 8) | 20


def picture(seed: int, form: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, form)
    return packed.getvalue()


def deflated(data: bytes, level: int = 6) -> bytes:
    pack = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return pack.compress(data) + pack.flush()


@dataclass
class Made:
    """An entry as it is written.

    Attributes:
        name: As stored.
        data: Its bytes in the archive.
        says: What its row must say: part of the error, None for a verdict, `FOLDER` for no row, or `COUNTED`.
        at: Number of the entry whose header it claims for its own; None for its own.
    """

    name: bytes
    data: bytes
    says: str | None = None
    method: int = 0
    crc: int = 0
    size: int = 0
    packed: int | None = None
    flags: int = 0
    mode: int = stat.S_IFREG | 0o644
    at: int | None = None
    offset: int | None = None
    extra: bytes = b""
    header: bytes = field(default=b"PK\x03\x04")


def stored(name: bytes | str, data: bytes, says: str | None = None, **more) -> Made:
    named = name.encode() if isinstance(name, str) else name
    return Made(named, data, says, **({"crc": zlib.crc32(data), "size": len(data)} | more))


def packed(name: bytes | str, data: bytes, says: str | None = None, **more) -> Made:
    own = {"method": 8, "crc": zlib.crc32(data), "size": len(data)}
    return stored(name, deflated(data), says, **(own | more))


def archive(made: list[Made], *, before: bytes = b"", comment: bytes = b"", count: int | None = None) -> bytes:
    result, offsets, directory = bytearray(before), [], bytearray()
    for one in made:
        offsets.append(len(result) - len(before))
        if one.at is not None or one.offset is not None:
            continue
        size = len(one.data) if one.packed is None else one.packed
        result += struct.pack(
            "<4s5H3I2H", one.header, 20, one.flags, one.method, 0, 0, one.crc, min(size, 2**32 - 1),
            one.size & 0xFFFFFFFF, len(one.name), 0,
        ) + one.name + one.data  # fmt: skip
    for number, one in enumerate(made):
        size = len(one.data) if one.packed is None else one.packed
        offset = offsets[one.at] if one.at is not None else offsets[number] if one.offset is None else one.offset
        directory += struct.pack(
            "<4s6H3I5H2I", b"PK\x01\x02", MACHINE, 20, one.flags, one.method, 0, 0, one.crc, min(size, 2**32 - 1),
            one.size & 0xFFFFFFFF, len(one.name), len(one.extra), 0, 0, 0, one.mode << 16, offset,
        ) + one.name + one.extra  # fmt: skip
    number = len(made) if count is None else count
    begin = len(result) - len(before)
    result += directory
    result += struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, number, number, len(directory), begin, len(comment))
    return bytes(result + comment)


def nested() -> bytes:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("1.png", picture(1))
    return inner.getvalue()


def traps(seed: int) -> list[Made]:
    """One of each kind; none says anything of another."""
    good, zeros = picture(seed), bytes(6 * 2**20)
    bitmap = b"BM" + struct.pack("<IHHI", len(zeros), 0, 0, 54) + struct.pack("<I", 40)
    damaged = bytearray(deflated(good))
    damaged[3:40] = bytes(37)
    folder = f"{seed}/"
    return [
        stored(f"{folder}", b"", FOLDER, mode=stat.S_IFDIR | 0o755),
        stored(f"{folder}good.png", good),
        packed(f"{folder}good.jpg", picture(seed + 1, "JPEG")),
        stored(f"../../../{seed}/etc/passwd.png", good),
        stored(f"/etc/{seed}.png", good),
        stored(f"C:\\Windows\\{seed}.png", good),
        stored(f"{folder}link.png", b"/etc/passwd", "A link, not a file", mode=stat.S_IFLNK | 0o777),
        stored(f"{folder}pipe.png", b"", "device or pipe", mode=stat.S_IFIFO | 0o644),
        packed(f"{folder}bomb.bmp", bitmap + zeros, "more than 100 times its size"),
        packed(f"{folder}bomb_in_disguise.bmp", bitmap + zeros, "more than 100 times its size", size=100),
        stored(f"{folder}nested.zip", nested(), "An archive within the archive"),
        stored(f"{folder}nested.png", nested(), "An archive within the archive"),
        stored(f"{folder}nested.tgz", b"\x1f\x8b" + bytes(100), "An archive within the archive"),
        stored(f"{folder}twice.png", good),
        stored(f"{folder}twice.png", picture(seed + 2)),
        stored(f"{folder}picture.txt", good),
        stored(f"{folder}text.jpg", b"no picture", "Not an image that is read here"),
        stored(f"{folder}program.exe", b"MZ" + bytes(200), "Not an image that is read here"),
        stored(f"{folder}half.png", good[:300], "damaged"),
        stored(f"{folder}empty.png", b"", "is empty"),
        stored(f"{folder}secret.png", good, "It is encrypted", flags=1),
        packed(f"{folder}bzip2.png", good, "compressed with bzip2", method=12),
        packed(f"{folder}aes.png", good, "compressed with AES encryption", method=99),
        packed(f"{folder}unknown.png", good, "compressed with method 77", method=77),
        packed(f"{folder}checksum.png", good, "not what its checksum and size say", crc=1),
        packed(f"{folder}size.png", good, "not what its checksum and size say", size=len(good) - 1),
        stored(f"{folder}garbage.png", bytes(damaged), "The archive is damaged", method=8),
        stored(f"{folder}ends_early.png", deflated(good)[:-20], "ends too early", method=8, crc=zlib.crc32(good),
               size=len(good)),
        stored(f"{folder}header.png", good, "not where its directory says", header=b"XXXX"),
        stored(f"{folder}nowhere.png", good, "not where its directory says", offset=2**31),
        stored(f"{folder}long.png", good, "also those of another entry", packed=2**31),
        stored(f"{folder}same.png", good, "also those of another entry", at=1),
        stored(f"{folder}nothing\0.png".encode(), good),
        stored(f"{folder}half a sign ".encode() + b"\xed\xa0\x80\xff.png", good, flags=0x800),
        stored(f"{folder}umlaut ".encode() + "ä.png".encode("cp437"), good),
        stored(f"{folder}".encode() + b"x" * 60000 + b".png", good),
        stored(f"{folder}line\nbreak\x1b[31m\u202egnp.png", good),
        stored(b"" if not seed else f"{folder}=cmd|' /C calc'!A0.png".encode(), good),
        stored(f"{folder}__MACOSX/._good.png", b"\0\5\x16\7", COUNTED),
        stored(f"{folder}.DS_Store", b"\0\0\0\1Bud1", COUNTED),
        stored(f"{folder}named as a folder/", b"bytes", "named as a folder but holds bytes"),
    ]  # fmt: skip


def large() -> Made:
    """More than an image may have, hardly packed, so that its ratio does not tell."""
    return stored("large.bmp", picture(1, "BMP") + bytes(65 * 2**20), "more than the limit of 64 MB")
