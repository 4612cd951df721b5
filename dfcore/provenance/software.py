"""Names of software that fields for software, tools and credits hold: generators apart from editors."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from dfcore.provenance.evidence import Extent, Source
from dfcore.provenance.texts import bounded


class Field(NamedTuple):
    """A field that names software, a tool or a credit.

    Attributes:
        place: Where it stands, e.g. "EXIF Software".
        text: What it says.
    """

    place: str
    text: str


# Names as the programs write them into such fields. A generator that is not here is shown as text, never guessed.
_GENERATORS = {
    r"midjourney": "Midjourney",
    r"dall[·\-\s]?e\b": "DALL·E (OpenAI)",
    r"\bopenai\b|\bchatgpt\b|\bgpt-4o\b|\bgpt-image\b": "OpenAI",
    r"adobe firefly": "Adobe Firefly",
    r"stable[\s\-_]?diffusion|stability ai|dreamstudio|\bsdxl\b": "Stable Diffusion",
    r"comfyui": "ComfyUI",
    r"invoke[\s\-]?ai": "InvokeAI",
    r"novelai": "NovelAI",
    r"fooocus": "Fooocus",
    r"automatic1111": "AUTOMATIC1111",
    r"draw things": "Draw Things",
    r"bing image creator|microsoft designer": "Microsoft Image Creator",
    r"black forest labs|\bflux\.1\b": "FLUX (Black Forest Labs)",
    r"leonardo\.ai|leonardo ai": "Leonardo.Ai",
    r"nightcafe": "NightCafe",
    r"craiyon": "Craiyon",
    r"image playground": "Apple Image Playground",
    r"imagined with ai|imagine with meta ai": "Meta AI",
    r"google imagen|google gemini": "Google Imagen or Gemini",
    r"stylegan|this person does not exist": "StyleGAN",
}
# Words that are also names of people, studios and cameras, or plain Spanish: they count in fields for software alone.
_GENERATORS_IN_TOOLS = {
    r"\bfirefly\b": "Adobe Firefly",
    r"\bimagen [234]\b|gemini": "Google Imagen or Gemini",
    r"ideogram": "Ideogram",
    r"recraft": "Recraft",
}
_TOOLS = re.compile(r"software|creatortool|generator|program|aisystemused", re.IGNORECASE)
_CREDITS: dict[str, tuple[str, Extent]] = {
    r"made with google ai": ("Google AI", "generated"),
    r"edited with google ai": ("Google AI", "partly"),
    r"made with ai\b": ("an AI that is not named", "generated"),
}
_EDITORS = {
    r"photoshop": "Adobe Photoshop",
    r"lightroom": "Adobe Lightroom",
    r"adobe (express|camera raw|illustrator|bridge|indesign)": "an Adobe program",
    r"\bgimp\b": "GIMP",
    r"affinity": "Affinity Photo",
    r"snapseed": "Snapseed",
    r"picsart": "Picsart",
    r"pixelmator": "Pixelmator",
    r"paint\.net": "Paint.NET",
    r"\bkrita\b": "Krita",
    r"\bcanva\b": "Canva",
    r"luminar": "Luminar",
    r"topaz": "Topaz",
    r"capture one": "Capture One",
    r"darktable": "darktable",
    r"rawtherapee": "RawTherapee",
    r"facetune": "Facetune",
    r"faceapp": "FaceApp",
    r"\bremini\b": "Remini",
    r"imagemagick|graphicsmagick": "ImageMagick",
    r"dxo": "DxO",
    r"acdsee": "ACDSee",
    r"irfanview": "IrfanView",
    r"photoscape": "PhotoScape",
    r"\bvsco\b": "VSCO",
    r"meitu": "Meitu",
}


def named(fields: Iterable[Field]) -> list[Source]:
    """What software a file names: one source for each generator and editor, at its first place."""
    result: dict[tuple[str, str], Source] = {}
    for place, text in fields:
        for kind, name, extent in _names(text[:500], in_tool=bool(_TOOLS.search(place))):
            result.setdefault((kind, name), Source(kind, place, _sentence(kind, name, place, extent), extent,
                                                   {place: bounded(text, 500)}))  # fmt: skip
    return list(result.values())


def _names(text: str, *, in_tool: bool) -> list[tuple[str, str, Extent | None]]:
    low = text.lower()
    for pattern, (name, extent) in _CREDITS.items():
        if re.search(pattern, low):
            return [("generator", name, extent)]
    generators = _GENERATORS | _GENERATORS_IN_TOOLS if in_tool else _GENERATORS
    found: list[tuple[str, str, Extent | None]] = [
        ("generator", name, "generated") for pattern, name in generators.items() if re.search(pattern, low)
    ]
    if found:
        return found[:1]
    return next(([("editor", name, None)] for pattern, name in _EDITORS.items() if re.search(pattern, low)), [])


def _sentence(kind: str, name: str, place: str, extent: Extent | None) -> str:
    if kind == "editor":
        return f"{place} names {name}, a program for editing pictures."
    if extent == "partly":
        return f"{place} says that it was edited with {name}."
    return f"{place} names {name}, which generates pictures."
