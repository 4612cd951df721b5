"""XMP: properties as plain names and texts, read by a parser that refuses entities and document types."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element  # nosec B405: a type; defusedxml parses

MOST_BYTES = 4 * 2**20
_MOST_PROPERTIES, _MOST_DEPTH, _MOST_ITEMS, _NAME_CHARACTERS = 2_000, 8, 300, 80
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_PREFIXES = {
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#": "stEvt",
    "http://ns.adobe.com/xap/1.0/sType/ResourceRef#": "stRef",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/camera-raw-settings/1.0/": "crs",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
    "http://ns.google.com/photos/1.0/image/": "GImage",
    "http://purl.org/dc/terms/": "dcterms",
}


def properties(packet: bytes) -> list[tuple[str, str]]:
    """Properties of a packet as (name, text), e.g. ("xmp:CreatorTool", "Adobe Photoshop 26.0").

    Lists become one text, their items separated by "; ", with "name: value" for structures.

    Raises:
        ValueError: If it is too large, no XML, or has a document type or entities; the text is a sentence.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    if len(packet) > MOST_BYTES:
        raise ValueError(f"The XMP has {len(packet) // 2**20} MB; above {MOST_BYTES // 2**20} MB it is not read.")
    packet = packet.strip(b"\0 \r\n\t")
    # What stands before and behind the XML is for finding it in a file.
    packet = re.sub(rb"<\?xpacket[^>]{0,200}\?>", b"", packet).strip(b"\0 \r\n\t\xef\xbb\xbf")
    try:
        root = fromstring(packet, forbid_dtd=True)
    except DefusedXmlException:
        raise ValueError(
            "The XMP has a document type or entities, which are refused: it may be made to do harm."
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise ValueError(f"The XMP is damaged and was not read ({str(error)[:100]}).") from None
    result: list[tuple[str, str]] = []
    # Descriptions within properties are structures, whose fields belong to these.
    for description in (child for top in root.iter(f"{_RDF}RDF") for child in top):
        for name, value in description.attrib.items():
            if not name.startswith(_RDF) and len(result) < _MOST_PROPERTIES:
                result.append((_name(name), value))
        for child in description:
            if len(result) >= _MOST_PROPERTIES:
                break
            result.append((_name(child.tag), _value(child)))
    return result


def _name(tag: str) -> str:
    space, _, local = tag.removeprefix("{").rpartition("}")
    prefix = _PREFIXES.get(space) or space.rstrip("/#").rpartition("/")[2]
    return (f"{prefix}:{local}" if prefix else local)[:_NAME_CHARACTERS]


def _value(element: "Element", depth: int = 0) -> str:
    resource = element.get(f"{_RDF}resource")
    if resource:
        return resource
    if depth > _MOST_DEPTH:
        return "…"
    fields = [f"{_name(name)}: {value}" for name, value in element.attrib.items() if _is_field(name)]
    if not len(element):
        return "; ".join([*fields, text] if (text := (element.text or "").strip()) else fields)
    return "; ".join([*fields, *_children(element, depth)])


def _children(element: "Element", depth: int) -> Iterator[str]:
    for number, child in enumerate(element):
        if number >= _MOST_ITEMS:
            yield f"and {len(element) - number:,} more"
            return
        value = _value(child, depth + 1)
        yield value if child.tag.startswith(_RDF) else f"{_name(child.tag)}: {value}"


def _is_field(name: str) -> bool:
    return not name.startswith((_RDF, "{http://www.w3.org/XML/1998/namespace}"))
