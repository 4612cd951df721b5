"""The file's own evidence: content credentials, metadata and traces of generators. Never mixed with a score."""

from dfcore.provenance.evidence import (
    CREDENTIAL_WORDS,
    Action,
    Credentials,
    Evidence,
    Ingredient,
    JpegCoding,
    Location,
    Remark,
    Source,
    Thumbnail,
)
from dfcore.provenance.reader import TRUST_LIST, read_evidence

__all__ = [
    "CREDENTIAL_WORDS",
    "TRUST_LIST",
    "Action",
    "Credentials",
    "Evidence",
    "Ingredient",
    "JpegCoding",
    "Location",
    "Remark",
    "Source",
    "Thumbnail",
    "read_evidence",
]
