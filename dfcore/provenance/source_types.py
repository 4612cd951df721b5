"""The IPTC's Digital Source Type, which XMP and content credentials share (cv.iptc.org/newscodes/digitalsourcetype)."""

from dfcore.provenance.evidence import Extent

_GENERATED = {"trainedalgorithmicmedia"}
_PARTLY = {"compositewithtrainedalgorithmicmedia", "compositesynthetic"}
CAPTURED = {"digitalcapture", "computationalcapture"}
_WORDS = {
    "trainedalgorithmicmedia": "made by generative AI",
    "compositewithtrainedalgorithmicmedia": "edited with generative AI",
    "compositesynthetic": "put together from parts of which at least one is made by generative AI",
    "algorithmicmedia": "made by an algorithm that was not trained on data",
    "algorithmicallyenhanced": "altered by an algorithm",
    "digitalcapture": "captured by a digital camera",
    "computationalcapture": "captured by a camera that merged several frames",
    "compositecapture": "put together from captured pictures",
    "composite": "put together from several parts",
    "negativefilm": "digitised from a negative",
    "positivefilm": "digitised from a positive",
    "print": "digitised from a print",
    "humanedits": "edited by people, without generative tools",
    "minorhumanedits": "with minor edits by people",
    "digitalart": "drawn by people with digital tools",
    "digitalcreation": "made by people with digital tools",
    "datadrivenmedia": "drawn from data",
    "screencapture": "a screenshot",
    "virtualrecording": "recorded from a virtual scene",
    "softwareimage": "made by software",
}


def last_part(uri: str) -> str:
    """The code of a source type, which is the last part of its address."""
    return uri.strip().rstrip("/#").replace("#", "/").rpartition("/")[2].rpartition(":")[2]


def extent(uri: str) -> Extent | None:
    """Whether a source type declares generative AI."""
    code = last_part(uri).lower()
    return "generated" if code in _GENERATED else "partly" if code in _PARTLY else None


def captured(uri: str) -> bool:
    """Whether a source type says that a camera took the picture."""
    return last_part(uri).lower() in CAPTURED


def in_words(uri: str) -> str:
    """A source type in plain words; "" if it is not of the list."""
    return _WORDS.get(last_part(uri).lower(), "")
