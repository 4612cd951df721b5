"""Traces that generators leave: prompts, settings and workflows, by sd-parsers where it knows them."""

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from dfcore.provenance.evidence import Source
from dfcore.provenance.texts import bounded

if TYPE_CHECKING:
    from sd_parsers.data import PromptInfo
    from sd_parsers.parsers import Parser

_PROMPT_CHARACTERS = 4_000
# Longer texts are not parsed, only their kind is told: JSON of whole workflows may be long, prompts are not, and the
# parsers' patterns take time that grows with the square of the length.
_MOST_PARSED, _MOST_JSON = 20_000, 1_000_000
_STEPS = re.compile(r"\bSteps: \d+, ")
# Keywords of InvokeAI, and how its oldest versions write steps and seed.
_INVOKEAI = {"invokeai_metadata", "invokeai_graph", "sd-metadata"}
_DREAM = re.compile(r" -[sS] ?\d")
_MIDJOURNEY = re.compile(r"\bJob ID: [0-9a-f]{8}-[0-9a-f-]{27}", re.IGNORECASE)
_AIGC = re.compile(r'"Label"\s*:\s*"?([123])"?')
_AIGC_WORDS = {
    "1": "is AI-generated",
    "2": "may be AI-generated",
    "3": "is suspected to be AI-generated",
}
_SETTINGS = {"seed": "Seed", "steps": "Steps", "cfg_scale": "CFG scale", "scheduler": "Scheduler"}
_TITLES = {"AUTOMATIC1111": "Stable Diffusion (AUTOMATIC1111's web UI or a program that writes the same)"}


def prompts(texts: Iterable[tuple[str, str, str]]) -> list[Source]:
    """Generation data in texts.

    Args:
        texts: (keyword, text, where in the file); the keyword is "" where a text has none.
    """
    entries = [(keyword, text, place) for keyword, text, place in texts if text]
    result: list[Source] = []
    for place, parameters in _candidates(entries):
        source = _parsed(parameters, place)
        if source is not None and all(source.details != other.details for other in result):
            result.append(source)
    result += [source for entry in entries if (source := _by_sight(*entry)) is not None]
    return _once(result)


def _candidates(entries: list[tuple[str, str, str]]) -> Iterable[tuple[str, Mapping[str, str]]]:
    """What to show the parsers: keyed texts together, as in a PNG, then each text by itself as parameters."""
    short = [
        (keyword, text, place)
        for keyword, text, place in entries
        if len(text) <= (_MOST_JSON if text.lstrip()[:1] == "{" else _MOST_PARSED)
    ]
    keyed = {keyword: text for keyword, text, _ in short if keyword}
    if keyed:
        known = {"parameters", "prompt", "workflow", "invokeai_metadata", "sd-metadata", "Dream", "Comment"}
        place = next((place for keyword, _, place in short if keyword in known), short[0][2])
        yield place, keyed
    for keyword, text, place in short:
        if not keyword:
            yield place, {"parameters": text}


def _parsed(parameters: Mapping[str, str], place: str) -> Source | None:
    from sd_parsers.parsers import MANAGED_PARSERS

    for parser in MANAGED_PARSERS:
        info = _information(parser(), parameters)  # type: ignore[abstract]  # none of the list is
        if info is None or not info.samplers:
            continue
        name = str(info.generator.value)
        details = {"Generator": _TITLES.get(name, name)}
        models = "; ".join(str(model) for model in info.models)
        _add(details, "Model", models)
        _add(details, "Prompt", "; ".join(map(str, info.prompts)))
        _add(details, "Negative prompt", "; ".join(map(str, info.negative_prompts)))
        sampler = info.samplers[0]
        _add(details, "Sampler", sampler.name)
        for key, title in _SETTINGS.items():
            _add(details, title, sampler.parameters.get(key))
        return _prompt_source(name, place, details)
    return None


def _information(parser: "Parser", parameters: Mapping[str, str]) -> "PromptInfo | None":
    try:
        return parser.parse(dict(parameters))
    except MemoryError:
        raise
    except Exception:  # Parsers raise whatever strangers' JSON leads them to.
        return None


def _prompt_source(name: str, place: str, details: dict[str, str]) -> Source:
    what = "a prompt" if {"Prompt", "Parameters"} & details.keys() else "generation settings"
    title = "Stable Diffusion" if name == "AUTOMATIC1111" else name
    return Source("prompt", place, f"{place} holds {what} of {title}.", "generated", details)


def _add(details: dict[str, str], name: str, value: Any) -> None:
    if value not in (None, ""):
        details[name] = bounded(value, _PROMPT_CHARACTERS)


def _by_sight(keyword: str, text: str, place: str) -> Source | None:
    """Data of kinds that sd-parsers does not read, or not in this shape."""
    start = text[:_MOST_JSON]
    low = keyword.lower()
    if low == "aigc" or (start[:400].lstrip().startswith("{") and '"AIGC"' in start[:400]):
        return _aigc(start, place)
    steps = _STEPS.search(start)
    if steps and "Sampler: " in start[steps.end() :]:
        # Under another keyword, or with more or less in it than the parser asks for.
        parsed = _parsed({"parameters": text}, place) if len(text) <= _MOST_PARSED else None
        return parsed or _prompt_source("AUTOMATIC1111", place, {"Parameters": bounded(start, _PROMPT_CHARACTERS)})
    if _MIDJOURNEY.search(start):
        details = {"Generator": "Midjourney", "Prompt": bounded(start, _PROMPT_CHARACTERS)}
        return _prompt_source("Midjourney", place, details)
    if low in ("prompt", "workflow") and start.lstrip().startswith("{"):
        return _workflow(start, place)
    if (low in _INVOKEAI and _is_object(start)) or (low == "dream" and _DREAM.search(start)):
        return _prompt_source("InvokeAI", place, {"Generator": "InvokeAI", "Text": bounded(start, _PROMPT_CHARACTERS)})
    return None


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _aigc(text: str, place: str) -> Source | None:
    """The label that China's GB 45438-2025 asks for."""
    label = _AIGC.search(text)
    if label is None:
        return None
    words = f"{place} holds a label for AI content (GB 45438): the picture {_AIGC_WORDS[label[1]]}."
    return Source("label", place, words, "generated" if label[1] == "1" else None, {"Label": bounded(text, 500)})


def _workflow(text: str, place: str) -> Source | None:
    """A ComfyUI graph; one without a sampler may only have resized a photograph."""
    try:
        graph = json.loads(text)
    except (ValueError, RecursionError):
        return None
    nodes = graph.get("nodes", graph) if isinstance(graph, dict) else None
    nodes = list(nodes.values()) if isinstance(nodes, dict) else nodes
    if not isinstance(nodes, list):
        return None
    kinds = {str(node.get("class_type") or node.get("type")) for node in nodes[:5_000] if isinstance(node, dict)}
    kinds.discard("None")
    if not kinds:
        return None
    details = {"Generator": "ComfyUI", "Nodes": bounded(", ".join(sorted(kinds)))}
    if texts := _texts_of([node for node in nodes[:5_000] if isinstance(node, dict)]):
        details["Texts"] = bounded(" | ".join(texts))
    if any("sampler" in kind.lower() for kind in kinds):
        return Source("prompt", place, f"{place} holds a workflow of ComfyUI that generates.", "generated", details)
    text = f"{place} holds a workflow of ComfyUI without a sampler; it need not have generated anything."
    return Source("prompt", place, text, None, details)


def _texts_of(nodes: list[dict[str, Any]]) -> list[str]:
    """What the nodes that take a prompt were given, wanted and unwanted alike."""
    given: list[Any] = []
    for node in nodes:
        if "textencode" in str(node.get("class_type") or node.get("type")).lower():
            inputs, values = node.get("inputs"), node.get("widgets_values")
            given += inputs.values() if isinstance(inputs, dict) else values if isinstance(values, list) else []
    return list(dict.fromkeys(text.strip() for text in given if isinstance(text, str) and text.strip()))


def _once(sources: list[Source]) -> list[Source]:
    """One source for each generator: the parsers' if there is one, since it comes first."""
    result: dict[object, Source] = {}
    for source in sources:
        key = source.details.get("Generator", "AUTOMATIC1111") if source.kind == "prompt" else source.place
        result.setdefault(_TITLES.get(str(key), key), source)
    return list(result.values())


# Headers of texts hidden in the lowest bits of pixels, and whether what follows is packed; the first are in the alpha
# channel alone, the others in the colours.
_STEALTH_ALPHA = {b"stealth_pnginfo": False, b"stealth_pngcomp": True}
_STEALTH_RGB = {b"stealth_rgbinfo": False, b"stealth_rgbcomp": True}
_STEALTH_BYTES = 2**20
_HEADER_BYTES = 15


def hidden_text(image: Image.Image) -> str:
    """Generation data that NovelAI and web UIs hide in the lowest bits of a lossless picture; "" if there are none.

    Args:
        image: RGB or RGBA, loaded.
    """
    pixels = np.asarray(image)
    # Column by column from the top, as it is written.
    columns = pixels.shape[0] * pixels.shape[1]
    if image.mode == "RGBA":
        found = _bits(pixels[..., 3:], _STEALTH_ALPHA, columns)
        if found:
            return found
    return _bits(pixels[..., :3], _STEALTH_RGB, 3 * columns)


def _bits(channels: np.ndarray, headers: Mapping[bytes, bool], most: int) -> str:
    def read(start: int, count: int) -> bytes:
        """Bytes from a place on; only the columns that hold them are looked at."""
        a, b = 8 * start, 8 * (start + count)
        per_column = channels.shape[0] * channels.shape[2]
        first, last = a // per_column, -(-b // per_column)
        part = channels[:, first:last].transpose(1, 0, 2).reshape(-1) & 1
        return np.packbits(part[a - first * per_column : b - first * per_column]).tobytes()

    if most < 8 * (_HEADER_BYTES + 4):
        return ""
    packed = headers.get(read(0, _HEADER_BYTES))
    if packed is None:
        return ""
    length = int.from_bytes(read(_HEADER_BYTES, 4), "big") // 8
    if not 0 < length <= min(_STEALTH_BYTES, most // 8):
        return ""
    raw = read(_HEADER_BYTES + 4, length)
    if packed:
        try:
            # Of a gzip stream no more than is read later.
            raw = zlib.decompressobj(wbits=31).decompress(raw, _MOST_JSON)
        except zlib.error:
            return ""
    return raw.decode("utf-8", "replace")
