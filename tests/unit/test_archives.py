"""Zip archives from strangers: names, kinds and sizes are judged before a byte is unpacked."""

import io
import random
import stat
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from contextlib import suppress

import pytest

from dfcore.errors import ArchiveError
from dfcore.utils.archives import read_zip

MB = 2**20
NOISE = random.Random(0)
NAMES = {"a.txt": 1000, "b.bin": 2 * MB, "inner.zip": 1000}


def limit(name: str) -> int:
    return NAMES.get(name, 0)


def anything(_: str) -> int:
    return MB


def packed(*members: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as archive:
        warnings.simplefilter("ignore")  # Two members of the same name are meant.
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def member(name: str, mode: int = 0, **values) -> zipfile.ZipInfo:
    """A member with a mode of Unix, and whatever else its header shall say."""
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    for key, value in values.items():
        setattr(info, key, value)
    return info


def patched(data: bytes, offset: int, kind: str, value: int, headers: tuple[bytes, ...] = (b"PK\1\2",)) -> bytes:
    """The archive with a field overwritten in the first of each kind of header; `offset` is that of the central one."""
    changed = bytearray(data)
    for signature in headers:
        at = changed.index(signature) + offset - (0 if signature == b"PK\1\2" else 2)
        struct.pack_into("<" + kind, changed, at, value)
    return bytes(changed)


BOTH = (b"PK\1\2", b"PK\3\4")
FLAGS, METHOD, CRC, PACKED_SIZE, SIZE = 8, 10, 16, 20, 24


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("as_file", [False, True], ids=["bytes", "file"])
def test_a_sound_archive_is_read_in_its_order(tmp_path, compression, as_file):
    content = {"b.bin": NOISE.randbytes(MB + 7), "a.txt": b"text", "inner.zip": b""}
    data = packed(*content.items(), compression=compression)
    (tmp_path / "some.zip").write_bytes(data)
    result = read_zip(tmp_path / "some.zip" if as_file else data, limit=limit)
    assert result == content
    assert list(result) == list(content)
    assert [path.name for path in tmp_path.iterdir()] == ["some.zip"], "nothing is unpacked to disk"


def test_an_empty_archive_holds_nothing():
    assert read_zip(packed(), limit=limit) == {}


def test_a_member_may_be_as_large_as_its_limit_and_no_larger():
    assert read_zip(packed(("a.txt", bytes(1000))), limit=limit)["a.txt"] == bytes(1000)
    with pytest.raises(ArchiveError, match=r"'a\.txt' would unpack to"):
        read_zip(packed(("a.txt", bytes(1001))), limit=limit)


def test_an_archive_within_an_archive_stays_packed():
    inner = packed(("../../evil", b"x"))
    assert read_zip(packed(("inner.zip", inner)), limit=limit) == {"inner.zip": inner}


# === Names ===

BAD_NAMES = [
    "../a.txt", "x/../a.txt", "x/a.txt", "./a.txt", "/a.txt", "//host/a.txt", "..\\a.txt", "x\\a.txt", "\\a.txt",
    "C:a.txt", "C:\\a.txt", "c:/a.txt", "\\\\host\\share\\a.txt", "a.txt/", "a.txt ", "a.txt.", "A.TXT", "other.txt",
    "CON", "a.txt:stream", "a\u2024txt", "ａ.txt", "a.txt\n", "\u202ea.txt", ".", "..", "a" * 60_000,
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[1:-1][:20])
def test_a_name_that_was_not_allowed_refuses_the_whole(name):
    data = packed(("a.txt", b"good"), (name, b"evil"))
    with pytest.raises(ArchiveError, match="a name that has no place here") as caught:
        read_zip(data, limit=limit)
    assert len(str(caught.value)) < 700


def test_an_empty_name_is_refused():
    data = packed(("a.txt", b"x")).replace(struct.pack("<H", 5) + b"\0\0a.txt", struct.pack("<H", 0) + b"\0\0a.txt")
    with pytest.raises(ArchiveError):
        read_zip(data, limit=limit)


def test_a_name_with_a_zero_byte_is_not_cut_to_a_good_one():
    data = packed(("a.txtX.exe", b"evil")).replace(b"a.txtX.exe", b"a.txt\0.exe")
    with pytest.raises(ArchiveError, match="a name that has no place here"):
        read_zip(data, limit=limit)


def test_a_name_that_differs_in_the_two_headers_is_refused():
    data = packed(("a.txt", b"evil"))
    with pytest.raises(ArchiveError):
        read_zip(data.replace(b"a.txt", b"b.txt", 1), limit=limit)


@pytest.mark.parametrize(
    "again",
    ["a.txt", "A.TXT", "a.TxT", "\uff41.txt", "a\u2024txt", "\u24d0.txt"],
    ids=["same", "capitals", "one-capital", "full-width", "one-dot-leader", "circled"],
)
def test_a_name_that_stands_twice_is_refused(again):
    with pytest.raises(ArchiveError, match="occurs twice"):
        read_zip(packed(("a.txt", b"good"), (again, b"evil")), limit=anything)


def test_a_letter_that_only_folds_alike_stands_twice_too():
    with pytest.raises(ArchiveError, match="occurs twice"):
        read_zip(packed(("strasse", b"good"), ("straße", b"evil")), limit=anything)


def test_more_members_than_allowed_are_refused():
    many = [(f"{number}.txt", b"") for number in range(101)]
    assert len(read_zip(packed(*many[:100]), limit=anything)) == 100
    with pytest.raises(ArchiveError, match=r"at most 100 members\. Received: 101"):
        read_zip(packed(*many), limit=anything)
    with pytest.raises(ArchiveError, match=r"at most 2 members\. Received: 3"):
        read_zip(packed(*many[:3]), limit=anything, most_members=2)


# === Kinds ===

KINDS = [
    pytest.param(stat.S_IFLNK | 0o777, id="symbolic-link"),
    pytest.param(stat.S_IFCHR | 0o666, id="device"),
    pytest.param(stat.S_IFBLK | 0o666, id="disk"),
    pytest.param(stat.S_IFIFO | 0o666, id="pipe"),
    pytest.param(stat.S_IFSOCK | 0o666, id="socket"),
    pytest.param(stat.S_IFDIR | 0o755, id="folder"),
]


@pytest.mark.parametrize("mode", KINDS)
def test_what_is_no_file_is_refused(mode):
    with pytest.raises(ArchiveError, match="is a link or a device, not a file"):
        read_zip(packed((member("a.txt", mode), b"/etc/passwd")), limit=limit)


@pytest.mark.parametrize("mode", [0, stat.S_IFREG | 0o644, stat.S_IFREG | 0o4777, 0o644])
def test_a_file_of_any_mode_is_a_file(mode):
    assert read_zip(packed((member("a.txt", mode), b"text")), limit=limit) == {"a.txt": b"text"}


def test_a_folder_is_refused():
    with pytest.raises(ArchiveError, match="has no place here"):
        read_zip(packed((member("a.txt/", stat.S_IFDIR | 0o755), b"")), limit=limit)


def test_an_encrypted_member_is_refused():
    data = patched(packed(("a.txt", b"text")), FLAGS, "H", 1, BOTH)
    with pytest.raises(ArchiveError, match="is encrypted"):
        read_zip(data, limit=limit)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_a_compression_that_could_be_read_is_refused_like_others(method):
    with pytest.raises(ArchiveError, match="compressed in a way that is not read here"):
        read_zip(packed(("a.txt", b"text"), compression=method), limit=limit)


@pytest.mark.parametrize("method", [1, 9, 93, 99, 65535])
def test_a_compression_that_nobody_knows_is_refused(method):
    with pytest.raises(ArchiveError, match="compressed in a way that is not read here"):
        read_zip(patched(packed(("a.txt", b"text")), METHOD, "H", method, BOTH), limit=limit)


# === Sizes ===


def peak(call) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(data: bytes, match: str | None = None):
    def call() -> None:
        with pytest.raises(ArchiveError, match=match):
            read_zip(data, limit=limit)

    return call


def test_a_bomb_that_says_so_is_refused_without_being_unpacked():
    data = packed(("b.bin", bytes(60 * MB)))
    assert len(data) < MB
    assert peak(refused(data, "would unpack to 60 MB. At most 2 MB are read")) < 2 * MB


@pytest.mark.parametrize("claimed", [0, 1, 1000, 2 * MB - 1])
def test_a_bomb_that_lies_is_refused_before_it_fills_the_memory(claimed):
    data = patched(packed(("b.bin", bytes(60 * MB))), SIZE, "I", claimed, BOTH)
    assert peak(refused(data)) < 16 * MB


def test_a_member_that_unpacks_to_more_than_it_says_is_no_shorter_member():
    """Cut at what the header says, with the checksum of that: still the header's word against the content's."""
    data = packed(("a.txt", b"good" * 10 + b"evil" * 10))
    lying = patched(patched(data, SIZE, "I", 40, BOTH), CRC, "I", zlib.crc32(b"good" * 10), BOTH)
    with suppress(ArchiveError):  # Just as well.
        assert read_zip(lying, limit=limit) == {"a.txt": b"good" * 10}


def test_a_member_that_unpacks_to_less_than_it_says_is_not_filled_up():
    with suppress(ArchiveError):  # Just as well.
        assert read_zip(patched(packed(("a.txt", b"text")), SIZE, "I", 900, BOTH), limit=limit) == {"a.txt": b"text"}


def test_a_member_with_a_wrong_checksum_is_refused():
    refused(patched(packed(("a.txt", b"text")), CRC, "I", 1234, BOTH), "cannot be read")()


def test_members_that_share_their_bytes_are_refused():
    """Many entries over one kernel of bytes: a bomb that no single member shows."""
    data = packed(("a.txt", b"x" * 900), ("b.bin", b"y" * 900), compression=zipfile.ZIP_STORED)
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    overlapping = bytearray(data)
    struct.pack_into("<I", overlapping, second + 42, 0)
    refused(bytes(overlapping))()


# === Damage ===


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"no zip at all" * 10, b"PK\3\4" + bytes(100), b"Rar!\x1a\7\0" + bytes(50), NOISE.randbytes(500)],
    ids=["empty", "two-bytes", "text", "a-header", "another-archive", "noise"],
)  # fmt: skip
def test_what_is_no_zip_archive_is_refused(data):
    with pytest.raises(ArchiveError, match="Expected a zip archive"):
        read_zip(data, limit=limit)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_archive_is_refused(share):
    data = packed(("a.txt", NOISE.randbytes(500)), ("b.bin", NOISE.randbytes(500)))
    with pytest.raises(ArchiveError):
        read_zip(data[: int(share * len(data))], limit=limit)


@pytest.mark.parametrize("garbage", [b"x", b"\0" * 1000, NOISE.randbytes(70_000)], ids=["a-byte", "zeros", "noise"])
@pytest.mark.parametrize("before", [False, True], ids=["behind", "before"])
def test_garbage_around_an_archive_changes_nothing_that_is_read(garbage, before):
    data = packed(("a.txt", b"text"))
    with suppress(ArchiveError):  # Just as well.
        assert read_zip(garbage + data if before else data + garbage, limit=limit) == {"a.txt": b"text"}


def test_of_two_archives_behind_each_other_never_both_are_read():
    both = packed(("a.txt", b"first")) + packed(("a.txt", b"second"))
    with suppress(ArchiveError):  # Just as well.
        assert read_zip(both, limit=limit) == {"a.txt": b"second"}


def test_no_damage_raises_anything_but_our_own_error():
    chance = random.Random(1)
    data = packed(("a.txt", b"text" * 50), ("b.bin", NOISE.randbytes(200)))
    for _ in range(2000):
        bad = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        try:
            result = read_zip(bytes(bad), limit=limit)
        except ArchiveError as error:
            assert str(error)
        else:
            assert set(result) <= set(NAMES)
            assert all(len(content) <= limit(name) for name, content in result.items())


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ArchiveError, match="cannot be read"):
        read_zip(tmp_path / "gone.zip", limit=limit)


def test_a_refusal_quotes_a_hostile_archive_in_few_characters_that_can_be_shown():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", b"x")
    content = bytearray(file.getvalue())
    # The header beside the content claims a name of 3,000 control characters, which the directory does not.
    content[26:28] = (3000).to_bytes(2, "little")
    content[30:31] = b"\x01" * 3000
    end = content.rindex(b"PK\x05\x06")
    content[end + 16 : end + 20] = (int.from_bytes(content[end + 16 : end + 20], "little") + 2999).to_bytes(4, "little")
    with pytest.raises(ArchiveError) as caught:
        read_zip(bytes(content), limit=lambda name: 100)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()
