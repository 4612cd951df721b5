"""What a file says of itself: one value, whatever was found. Nothing here is a measurement of the picture."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Extent = Literal["generated", "partly"]
CredentialState = Literal["trusted", "unknown_signer", "invalid", "none"]

# What is declared, in words that end a sentence.
EXTENT_WORDS: dict[str, str] = {"generated": "AI-generated", "partly": "partly AI-generated"}
# The states of a content credential: a title, and what it means.
CREDENTIAL_WORDS: dict[CredentialState, tuple[str, str]] = {
    "trusted": ("Trusted", "Unchanged since it was signed, by a signer on the trust list in use."),
    "unknown_signer": ("Valid, signer unknown",
                       "Unchanged since it was signed, but nobody vouches here for who signed it."),
    "invalid": ("Not valid", "It proves nothing, neither that the picture is genuine nor that it is fake."),
    "none": ("None", "The file has no content credential."),
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One trace of how a picture was made.

    Attributes:
        kind: "credential", "digital source type", "prompt", "label", "generator", "editor" or "camera".
        place: Where in the file it stands, e.g. "PNG text 'parameters'".
        text: A sentence.
        declares: Whether it declares the picture, or a part of it, to be AI-generated; None if neither.
        details: Names and texts, e.g. prompt, model and seed.
    """

    kind: str
    place: str
    text: str
    declares: Extent | None = None
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Action:
    """One step that a content credential tells.

    Attributes:
        name: As in the credential, e.g. "c2pa.created".
        words: The same in plain words.
        source_type: Last part of its digital source type, e.g. "trainedAlgorithmicMedia"; may be empty.
        software: Software that did it; may be empty.
        when: Time as written; may be empty.
    """

    name: str
    words: str
    source_type: str = ""
    software: str = ""
    when: str = ""


@dataclass(frozen=True)
class Ingredient:
    """A picture that a credential says this one was made from.

    Attributes:
        title: Its title; may be empty.
        relationship: "parentOf", "componentOf" or "inputTo".
        declares: What its own credential says of it, as `Source.declares`.
    """

    title: str
    relationship: str
    declares: Extent | None = None


@dataclass(frozen=True)
class Credentials:
    """Content credentials (C2PA) of a file.

    Attributes:
        state: "trusted": unchanged since it was signed, by a signer of the trust list. "unknown_signer": unchanged, but
            nobody vouches for the signer. "invalid": proves nothing. "none": there is none in the file.
        reason: Why it is invalid, or what else is to be said; a sentence or empty.
        generator: Software that made the credential.
        signer: Organisation or name on the signing certificate.
        time: Time of signing as its time stamp says; empty without one.
        actions: What was done, in order.
        ingredients: What the picture was made from.
        trust_list: Whether a trust list was given.
    """

    state: CredentialState = "none"
    reason: str = ""
    generator: str = ""
    signer: str = ""
    time: str = ""
    actions: tuple[Action, ...] = ()
    ingredients: tuple[Ingredient, ...] = ()
    trust_list: bool = False


@dataclass(frozen=True)
class Remark:
    """Something odd or worth knowing.

    Attributes:
        text: What was found, a sentence.
        meaning: What it does and does not mean.
    """

    text: str
    meaning: str


@dataclass(frozen=True)
class Location:
    """Where EXIF says a picture was taken.

    Attributes:
        latitude, longitude: Degrees, WGS 84; north and east are positive.
    """

    latitude: float
    longitude: float

    @property
    def words(self) -> str:
        """The place, as "52.50000° N, 13.40000° E"."""
        north, east = ("N" if self.latitude >= 0 else "S"), ("E" if self.longitude >= 0 else "W")
        return f"{abs(self.latitude):.5f}° {north}, {abs(self.longitude):.5f}° {east}"


@dataclass(frozen=True)
class JpegCoding:
    """How a JPEG was last saved.

    Attributes:
        quality: Estimated quality on libjpeg's scale, 1 to 100; None if its tables are far from any of it.
        encoder: Who writes such tables, or that they are unknown.
        exact: Whether the tables are exactly those of `encoder`.
        subsampling: Chroma subsampling, e.g. "4:2:0"; may be empty.
        saved_before: Whether there are traces of an earlier JPEG compression, see `double_jpeg`; None if that cannot be
            told.
    """

    quality: int | None
    encoder: str
    exact: bool
    subsampling: str = ""
    saved_before: bool | None = None

    @property
    def words(self) -> str:
        """How it was last saved, as a sentence."""
        if self.exact:
            how = f"with {self.encoder}"
        else:
            how = f"at about quality {self.quality}" if self.quality else "at a quality off the usual scale"
            how += "; the tables are unknown here, as those of most cameras are"
        return f"last saved {how}{f'; colour sampling {self.subsampling}' if self.subsampling else ''}."


@dataclass(frozen=True)
class Thumbnail:
    """The small picture inside the EXIF data.

    Attributes:
        width, height: Size in pixels, upright.
        rgb: Pixels, uint8, row by row, three bytes each.
        differs: Whether it shows something else than the picture; None if that could not be compared.
    """

    width: int
    height: int
    rgb: bytes = field(default=b"", repr=False)
    differs: bool | None = None


@dataclass(frozen=True)
class Evidence:
    """What a file says of itself. Never mixed with a detector's score.

    Attributes:
        declares_generated: True if the file declares itself, wholly or partly, AI-generated. False only if a trusted
            credential says that a camera captured it, without generative edits. None otherwise.
        extent: "generated" or "partly" where `declares_generated` is True, otherwise None.
        summary: One sentence for the top of a page.
        sources: Traces of how the picture was made.
        credentials: Content credentials.
        remarks: Contradictions and the like.
        metadata: Groups of names and texts, of limited length and number.
        left_out: For each group, how many entries were left out.
        unreadable: What could not be read, a sentence each.
        location: Where it was taken, if EXIF says so.
        jpeg: How it was coded, if it is a JPEG.
        thumbnail: Embedded thumbnail, if there is one.
    """

    declares_generated: bool | None = None
    extent: Extent | None = None
    summary: str = ""
    sources: tuple[Source, ...] = ()
    credentials: Credentials = Credentials()
    remarks: tuple[Remark, ...] = ()
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    location: Location | None = None
    jpeg: JpegCoding | None = None
    thumbnail: Thumbnail | None = None

    @property
    def says(self) -> Literal["declares", "invalid", "something", "nothing"]:
        """What it says of how it was made: declares it AI-generated, wholly or partly; something else, by a credential
        that is not valid or otherwise; or nothing."""
        if self.declares_generated:
            return "declares"
        if self.credentials.state == "invalid":
            return "invalid"
        told = self.credentials.state != "none" or bool(self.credentials.reason)
        return "something" if told or self.sources else "nothing"

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-serialisable values, without the thumbnail's pixels."""
        result = asdict(self)
        if result["thumbnail"]:
            del result["thumbnail"]["rgb"]
        return result
