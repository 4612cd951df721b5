"""Everything that a file says of itself, read from its bytes. Runs in the process of its own that `child` is."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
from PIL import Image, ImageCms

from dfcore.errors import ImageError
from dfcore.imaging import decoder
from dfcore.provenance import dates, exif, generators, iptc, jpeg_coding, sizes, software, source_types, xmp
from dfcore.provenance.containers import Blocks, blocks
from dfcore.provenance.credentials import Read, read_credentials
from dfcore.provenance.double_jpeg import SIDE, saved_before
from dfcore.provenance.evidence import Credentials, Evidence, JpegCoding, Remark, Source
from dfcore.provenance.exif import ExifData
from dfcore.provenance.software import Field
from dfcore.provenance.summary import concluded
from dfcore.provenance.texts import bounded, group

# Above this many pixels, texts hidden in pixels are not looked for: it means decoding the picture.
_MOST_HIDDEN = 16_000_000
_SOURCE_TYPE = "DigitalSourceType"
_XMP_FIELDS = (
    "xmp:CreatorTool", "photoshop:Credit", "photoshop:Source", "dc:creator", "dc:source", "tiff:Software",
    "Iptc4xmpExt:AISystemUsed", "xmpMM:History",
)  # fmt: skip
_TAKEN = ("EXIF DateTimeOriginal", "EXIF DateTimeDigitized", "EXIF GPS date", "XMP xmp:CreateDate",
          "XMP photoshop:DateCreated", "XMP exif:DateTimeOriginal", "IPTC Date created")  # fmt: skip
_CHANGED = ("EXIF DateTime", "XMP xmp:ModifyDate", "XMP xmp:MetadataDate", "PNG tIME")

_SAVED_BEFORE = Remark(
    "The picture was probably saved as a JPEG before, at a lower quality.",
    "Messengers, websites and every program that opens and saves a JPEG do this; it does not show what was changed, or "
    "whether anything was. In a measurement 5 of 990 pictures that were saved once were taken for such. Most pictures "
    "that were saved twice at similar qualities, or resized in between, are not noticed.",
)
_Part = TypeVar("_Part")


def parse(data: bytes, trust_list: str = "") -> Evidence:
    """Reads all evidence of a file; what one part cannot be read from does not keep the others from being told.

    Raises:
        ImageError: If it is no image in an allowed format.
    """
    found = blocks(data)
    told = list(found.told)
    nothing: list[tuple[str, str]] = []
    unremarked: list[Remark] = []
    camera = _tried("The EXIF data", lambda: exif.read_exif(found), ExifData(), told)
    told += camera.told
    packet = _tried("The XMP", lambda: list(_xmp(found, told)), nothing, told)
    datasets = _tried("The IPTC data", lambda: iptc.datasets(found.photoshop, found.iptc), nothing, told)
    broken = Credentials("invalid", "It cannot be read.")
    credential = _tried(
        "The content credential", lambda: read_credentials(data, found.kind, trust_list), Read(broken), told
    )
    texts = list(_texts(found, camera, packet))
    hidden = _tried("Text hidden in the pixels", lambda: _hidden(data, found.kind, told), "", told)
    if hidden:
        texts.append(("", hidden, "Text hidden in the lowest bits of the pixels"))
    jpeg = _tried("How the JPEG was coded", lambda: _coding(data, found), None, told)
    sources = [
        *_of_credential(credential),
        *_of_source_types(packet),
        *generators.prompts(texts),
        *software.named(_fields(found, camera, packet, datasets)),
        *_of_camera(camera),
    ]
    groups = {
        "File": _file(found),
        **camera.groups,
        "XMP": packet,
        "IPTC": datasets,
        "PNG text": [(keyword, text) for keyword, text, _ in found.texts],
        "Comments": [(place, text) for text, place in found.comments],
        "Hidden text": [("Text", hidden)] if hidden else [],
    }
    bounds = {name: group(entries) for name, entries in groups.items() if entries}
    return concluded(
        Evidence(
            sources=tuple(sources),
            credentials=credential.credentials,
            remarks=(
                *_dates(found, camera, packet, datasets),
                *_tried("The size of the picture", lambda: _size(data, camera), unremarked, told),
                *([_SAVED_BEFORE] if jpeg and jpeg.saved_before else []),
            ),
            metadata={name: entries for name, (entries, _) in bounds.items()},
            left_out={name: count for name, (_, count) in bounds.items() if count},
            unreadable=tuple(bounded(text, 400) for text in told[:50]),
            location=camera.location,
            jpeg=jpeg,
            thumbnail=camera.thumbnail,
        ),
        captured=credential.captured,
    )


def _tried(what: str, read: Callable[[], _Part], otherwise: _Part, told: list[str]) -> _Part:
    """What `read` returns; where it fails, that is told, and the other parts are read."""
    try:
        return read()
    except MemoryError:
        raise
    except Exception as error:  # Libraries raise arbitrary exceptions on what strangers wrote.
        told.append(f"{what} cannot be read ({type(error).__name__}).")
        return otherwise


def _xmp(found: Blocks, told: list[str]) -> Iterator[tuple[str, str]]:
    for packet, _ in found.xmp[:4]:
        try:
            yield from xmp.properties(packet)
        except ValueError as error:
            told.append(str(error))


def _texts(found: Blocks, camera: ExifData, packet: list[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """(keyword, text, place) of texts in which generators leave their data."""
    yield from found.texts
    for text, place in found.comments:
        yield "", text, place
    for name in ("UserComment", "ImageDescription", "XPComment", "Make", "Model"):
        text = camera.text(name)
        # ComfyUI writes "prompt:{…}" and "workflow:{…}" into tags of WebP and AVIF files.
        keyword, colon, rest = text.partition(":")
        if colon and keyword.lower() in ("prompt", "workflow") and rest.lstrip().startswith("{"):
            yield keyword.lower(), rest, f"EXIF {name}"
        elif text:
            yield "", text, f"EXIF {name}"
    for name, text in packet:
        if name in ("dc:description", "exif:UserComment") or name.endswith(":AIGC"):
            yield "AIGC" if name.endswith(":AIGC") else "", text, f"XMP {name}"


def _fields(
    found: Blocks, camera: ExifData, packet: list[tuple[str, str]], datasets: list[tuple[str, str]]
) -> Iterator[Field]:
    """Fields that name software, a tool or a credit."""
    for name in ("Software", "ProcessingSoftware", "HostComputer", "Make", "Model", "Artist"):
        yield Field(f"EXIF {name}", camera.text(name))
    for name, text in packet:
        if name in _XMP_FIELDS:
            yield Field(f"XMP {name}", text)
    for name, text in datasets:
        if name in ("Originating program", "Credit", "Source", "By-line"):
            yield Field(f"IPTC {name}", text)
    for keyword, text, place in found.texts:
        if keyword.lower() in ("software", "source", "author", "generator", "creator"):
            yield Field(place, text)


def _of_credential(credential: Read) -> Iterator[Source]:
    told = credential.credentials
    if credential.declares:
        how = "made by generative AI" if credential.declares == "generated" else "made or edited in part by AI"
        trusted = "a trusted signer" if told.state == "trusted" else "a signer whom nobody vouches for here"
        text = f"The content credential says that the picture was {how}; it is signed by {trusted}"
        details = {"Signer": told.signer, "Generator": told.generator, "Time": told.time}
        details |= {f"Action {number}": action.words for number, action in enumerate(told.actions, 1)}
        details = {name: value for name, value in details.items() if value}
        yield Source("credential", "Content credential", f"{text}.", credential.declares, details)


def _of_source_types(packet: list[tuple[str, str]]) -> Iterator[Source]:
    for name, value in packet:
        if name.rpartition(":")[2] != _SOURCE_TYPE:
            continue
        extent, code = source_types.extent(value), bounded(source_types.last_part(value), 80)
        words = source_types.in_words(value)
        text = f"XMP {name} says '{code}'" + (f": {words}." if words else ".")
        yield Source("digital source type", f"XMP {name}", text, extent, {name: bounded(value, 300)})


def _name_of(camera: ExifData) -> str:
    make, model = (bounded(camera.text(name), 60) for name in ("Make", "Model"))
    if (make + model).lower().startswith(("prompt:", "workflow:")):
        return ""
    return model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()


def _size(data: bytes, camera: ExifData) -> list[Remark]:
    stated = camera.text("ExifImageWidth"), camera.text("ExifImageHeight")
    if not camera.groups:
        return []
    with decoder.opened(data) as opened:
        found = sizes.contradiction(*opened.image.size, _name_of(camera), stated)
    return [found] if found else []


def _of_camera(camera: ExifData) -> Iterator[Source]:
    if name := _name_of(camera):
        details = {title: bounded(value, 200) for title in ("DateTimeOriginal", "LensModel", "ExposureTime", "FNumber")
                   if (value := camera.text(title))}  # fmt: skip
        yield Source("camera", "EXIF Make and Model", f"EXIF names the camera {name}; anyone can write it.", None,
                     {"Camera": name} | details)  # fmt: skip


def _hidden(data: bytes, kind: str, told: list[str]) -> str:
    """Text hidden in the pixels of a lossless picture."""
    if kind not in ("PNG", "WEBP"):
        return ""
    try:
        with decoder.opened(data) as opened:
            image: Image.Image = opened.image
            if image.mode not in ("RGB", "RGBA") or (kind == "WEBP" and b"VP8L" not in data[: 2**20]):
                return ""
            if opened.area > _MOST_HIDDEN:
                told.append("Text hidden in the pixels was not looked for: the picture is too large.")
                return ""
            image.load()
            return generators.hidden_text(image)
    except (ImageError, OSError, SyntaxError):  # Damage, which decoding tells of elsewhere.
        return ""


def _coding(data: bytes, found: Blocks) -> JpegCoding | None:
    """How a JPEG was coded, and whether it was before."""
    result = jpeg_coding.coding(found.tables, found.sampling)
    if result is None:
        return None
    try:
        with decoder.opened(data) as opened:
            image = opened.image
            if image.format not in ("JPEG", "MPO") or image.mode not in ("L", "RGB"):
                return result
            image.draft("L", image.size)
            grey = np.asarray(image.convert("L"))[:SIDE, :SIDE]
    except (ImageError, OSError, SyntaxError):  # Damage, which decoding tells of elsewhere.
        return result
    return replace(result, saved_before=saved_before(grey, found.tables[min(found.tables)]))


def _dates(
    found: Blocks, camera: ExifData, packet: list[tuple[str, str]], datasets: list[tuple[str, str]]
) -> Iterator[Remark]:
    named: dict[str, str] = {f"EXIF {name}": camera.text(name) for name in
                             ("DateTimeOriginal", "DateTimeDigitized", "DateTime")}  # fmt: skip
    named["EXIF GPS date"] = camera.text("GPSDateStamp")
    named |= {f"XMP {name}": value for name, value in packet}
    named |= {"IPTC Date created": _iptc_date(dict(datasets).get("Date created", "")), "PNG tIME": found.modified}
    yield from dates.contradictions(_chosen(named, _TAKEN), _chosen(named, _CHANGED))


def _chosen(named: Mapping[str, str], wanted: tuple[str, ...]) -> dict[str, str]:
    return {name: named[name] for name in wanted if named.get(name)}


def _iptc_date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if text[:8].isdigit() and len(text) >= 8 else text


def _file(found: Blocks) -> list[tuple[str, str]]:
    result = [("Format", found.kind)]
    if found.icc:
        result.append(("Colour profile", _profile_name(found.icc)))
    if found.modified:
        result.append(("PNG tIME", found.modified))
    return result


def _profile_name(icc: bytes) -> str:
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except MemoryError:
        raise
    except Exception:  # LittleCMS refuses damaged profiles in several ways.
        return f"unreadable, {len(icc):,} bytes"
