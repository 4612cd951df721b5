"""IPTC Information Interchange Model: the older captions, credits and dates of news pictures."""

from dfcore.provenance.texts import decoded

_MOST_RECORDS = 1_000
_IIM_RESOURCE = 0x0404
# Datasets of record 2, by the names that the standard gives them.
_NAMES = {
    5: "Object name", 7: "Edit status", 10: "Urgency", 15: "Category", 20: "Supplemental category", 25: "Keywords",
    40: "Special instructions", 55: "Date created", 60: "Time created", 62: "Digital creation date",
    63: "Digital creation time", 65: "Originating program", 70: "Program version", 80: "By-line",
    85: "By-line title", 90: "City", 92: "Sub-location", 95: "Province or state", 100: "Country code", 101: "Country",
    103: "Original transmission reference", 105: "Headline", 110: "Credit", 115: "Source", 116: "Copyright notice",
    118: "Contact", 120: "Caption", 122: "Caption writer",
}  # fmt: skip


def datasets(photoshop: bytes, iptc: bytes) -> list[tuple[str, str]]:
    """(name, text) of each dataset of record 2, from Photoshop resources or a block of its own."""
    return list(_read(iptc or _resource(photoshop, _IIM_RESOURCE)))


def _resource(data: bytes, wanted: int) -> bytes:
    at = 0
    for _ in range(_MOST_RECORDS):
        if data[at : at + 4] != b"8BIM" or at + 7 > len(data):
            break
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        # A Pascal string, padded to an even length with its own length byte.
        at += 6 + (1 + data[at + 6] + 1) // 2 * 2
        length = int.from_bytes(data[at : at + 4], "big")
        if number == wanted:
            return data[at + 4 : at + 4 + length]
        at += 4 + length + length % 2
    return b""


def _read(data: bytes) -> list[tuple[str, str]]:
    result, at = [], 0
    for _ in range(_MOST_RECORDS):
        if data[at : at + 1] != b"\x1c" or at + 5 > len(data):
            break
        record, number, length = data[at + 1], data[at + 2], int.from_bytes(data[at + 3 : at + 5], "big")
        at += 5
        if length & 0x8000:  # The length of the length follows.
            size = min(length & 0x7FFF, 4)
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if record == 2 and number != 0:
            result.append((_NAMES.get(number, f"Dataset 2:{number}"), decoded(data[at : at + length])))
        at += length
    return result
