"""Metadata and traces of generators: each kind in a file of the test's own making."""

import gzip
import io
import json
import math
import struct
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, JpegPresets, PngImagePlugin

from dfcore.errors import ImageError
from dfcore.provenance import Evidence, dates, read_evidence, thumbnails
from dfcore.provenance.containers import blocks
from dfcore.provenance.evidence import Thumbnail
from dfcore.provenance.exif import user_comment
from dfcore.provenance.jpeg_coding import UNKNOWN, coding
from dfcore.provenance.software import Field, named
from dfcore.provenance.summary import NOTHING
from dfcore.provenance.texts import MOST_CHARACTERS, MOST_ENTRIES, bounded, group

A1111 = (
    "a red fox (best:1.2), snow\nNegative prompt: blurry\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 512x512, Model hash: abc, Model: sd_xl_base"
)
GRAPH = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "flux.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a castle", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["1", 1]}},
    "4": {
        "class_type": "KSampler",
        "inputs": {"seed": 77, "steps": 8, "cfg": 1.5, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0,
                   "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0]},
    },
}  # fmt: skip
INVOKE = {
    "positive_prompt": "a blue heron", "negative_prompt": "", "seed": 9, "steps": 30, "cfg_scale": 7.5,
    "scheduler": "euler", "model": {"name": "dreamshaper", "hash": "xyz"}, "app_version": "4.2",
    "generation_mode": "txt2img",
}  # fmt: skip
NOVELAI = {
    "Software": "NovelAI", "Source": "Stable Diffusion XL 7BCCAA2C", "Description": "a lighthouse",
    "Comment": json.dumps({"steps": 28, "sampler": "k_euler", "seed": 5, "scale": 5.0, "uc": "text"}),
}  # fmt: skip
FOOOCUS = {
    "parameters": json.dumps({
        "base_model": "juggernaut", "base_model_hash": "aa", "guidance_scale": 4.0, "scheduler": "karras", "seed": 3,
        "sharpness": 2, "steps": 30, "sampler": "dpmpp_2m", "prompt": "a tram", "negative_prompt": "",
    })
}  # fmt: skip


def pixels(width: int = 64, height: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def encoded(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image or Image.fromarray(pixels())).save(buffer, kind, **options)
    return buffer.getvalue()


def png(texts: dict[str, str], how: str = "tEXt") -> bytes:
    info = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        if how == "iTXt":
            info.add_itxt(keyword, text, zip=True)
        else:
            info.add_text(keyword, text, zip=how == "zTXt")
    return encoded("PNG", pnginfo=info)


def xmp(attributes: str, inner: str = "") -> bytes:
    spaces = {
        "xmp": "http://ns.adobe.com/xap/1.0/", "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "dc": "http://purl.org/dc/elements/1.1/",
        "xmpMM": "http://ns.adobe.com/xap/1.0/mm/", "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    }  # fmt: skip
    declared = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in spaces.items())
    return (
        f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/" {declared}>'
        f'<rdf:RDF><rdf:Description rdf:about="" {attributes}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def source_type(code: str) -> str:
    return f'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{code}"'


def exif(main: dict[int, Any] | None = None, camera: dict[int, Any] | None = None, gps: dict[int, Any] | None = None):
    result = Image.Exif()
    # Pillow drops what has no tag in its main part from a PNG or AVIF.
    for tag, value in {0x0128: 2, **(main or {})}.items():
        result[tag] = value
    for part, tags in ((0x8769, camera), (0x8825, gps)):
        for tag, value in (tags or {}).items():
            result.get_ifd(part)[tag] = value
    return result


def with_iptc(datasets: dict[int, str]) -> bytes:
    block = b"".join(
        b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text.encode())) + text.encode()
        for number, text in datasets.items()
    )
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + b"\0" * (len(block) % 2)
    payload = b"Photoshop 3.0\0" + resource
    data = encoded("JPEG")
    return data[:2] + b"\xff\xed" + struct.pack(">H", len(payload) + 2) + payload + data[2:]


def with_thumbnail(picture: np.ndarray, thumb: np.ndarray, orientation: int = 1) -> bytes:
    """A JPEG whose EXIF block holds a thumbnail, in a second directory as cameras write it."""
    small = encoded("JPEG", Image.fromarray(thumb), quality=80)
    first = struct.pack("<HHHII", 1, 0x0112, 3, 1, orientation) + struct.pack("<I", 8 + 2 + 12 + 4)
    place = 8 + len(first) + 2 + 24 + 4
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, place, 0x0202, 4, 1, len(small), 0)
    block = b"Exif\0\0" + b"II*\0\x08\0\0\0" + first + second + small
    data = encoded("JPEG", Image.fromarray(picture), quality=90)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


# === Generators ===

PROMPTS = {
    "A1111": ({"parameters": A1111}, {"Model": "sd_xl_base", "Seed": "1234", "Negative prompt": "blurry"}, "a red fox"),
    "ComfyUI": (
        {"prompt": json.dumps(GRAPH), "workflow": json.dumps({"nodes": [], "links": []})},
        {"Generator": "ComfyUI", "Model": "flux.safetensors", "Seed": "77"}, "a castle",
    ),
    "InvokeAI": ({"invokeai_metadata": json.dumps(INVOKE)}, {"Generator": "InvokeAI", "Seed": "9"}, "a blue heron"),
    "NovelAI": (NOVELAI, {"Generator": "NovelAI", "Seed": "5"}, "a lighthouse"),
    "Fooocus": (FOOOCUS, {"Generator": "Fooocus", "Model": "juggernaut"}, "a tram"),
}  # fmt: skip


@pytest.mark.parametrize("how", ["tEXt", "zTXt", "iTXt"])
@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_in_a_png_is_shown_with_its_model_and_seed(name, how):
    texts, wanted, prompt = PROMPTS[name]
    evidence = read_evidence(png(texts, how))
    assert (evidence.declares_generated, evidence.extent) == (True, "generated")
    source = next(source for source in evidence.sources if source.kind == "prompt")
    assert prompt in source.details["Prompt"]
    assert wanted.items() <= source.details.items()
    assert evidence.summary.startswith("The file declares itself AI-generated: ")
    assert evidence.summary.endswith(" prompt in its PNG text.")


def utf16_comment(text: str, encoding: str) -> bytes:
    return b"UNICODE\0" + text.encode(encoding)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "PNG"])
@pytest.mark.parametrize(
    "comment", [utf16_comment(A1111, "utf-16-be"), utf16_comment(A1111, "utf-16-le"), b"ASCII\0\0\0" + A1111.encode()],
    ids=["big", "little", "ascii"],
)  # fmt: skip
def test_a_prompt_in_a_user_comment_is_found_in_every_format(kind, comment):
    evidence = read_evidence(encoded(kind, exif=exif(camera={0x9286: comment})))
    assert evidence.declares_generated is True
    assert "EXIF UserComment" in evidence.summary
    assert next(source for source in evidence.sources if source.kind == "prompt").details["Seed"] == "1234"


def test_a_prompt_in_other_places():
    comment = read_evidence(encoded("JPEG", comment=A1111))
    assert "JPEG comment" in comment.summary
    tags = exif({0x0110: "prompt:" + json.dumps(GRAPH), 0x010F: "workflow:" + json.dumps({"nodes": [], "links": []})})
    comfy = read_evidence(encoded("WEBP", exif=tags))
    assert "ComfyUI prompt in its EXIF" in comfy.summary
    assert not [source for source in comfy.sources if source.kind == "camera"]
    job = "a cat, film grain --v 6.1 Job ID: 01234567-89ab-cdef-0123-456789abcdef"
    assert "Midjourney prompt" in read_evidence(png({"Description": job})).summary


def stealth(text: str, mode: str, packed: bool) -> bytes:
    """Text in the lowest bits, written pixel by pixel down the columns."""
    raw = text.encode()
    raw = gzip.compress(raw) if packed else raw
    kind = "png" if mode == "alpha" else "rgb"
    header = f"stealth_{kind}{'comp' if packed else 'info'}".encode()
    bits = np.unpackbits(np.frombuffer(header + struct.pack(">I", 8 * len(raw)) + raw, np.uint8))
    picture = np.dstack([pixels(96, 96), np.full((96, 96), 255, np.uint8)])
    channels = picture[..., 3:] if mode == "alpha" else picture[..., :3]
    columns = channels.transpose(1, 0, 2).reshape(-1).copy()
    columns[: len(bits)] = columns[: len(bits)] & 0xFE | bits
    channels[...] = columns.reshape(channels.transpose(1, 0, 2).shape).transpose(1, 0, 2)
    return encoded("PNG", Image.fromarray(picture))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mode", ["alpha", "rgb"])
def test_text_hidden_in_the_pixels_is_found(mode, packed):
    evidence = read_evidence(stealth(A1111, mode, packed))
    assert evidence.declares_generated is True
    assert evidence.summary.endswith("prompt in its pixels.")
    assert "red fox" in evidence.metadata["Hidden text"]["Text"]


def test_a_workflow_that_only_enlarges_declares_nothing():
    graph = {"1": {"class_type": "LoadImage", "inputs": {}}, "2": {"class_type": "ImageUpscaleWithModel", "inputs": {}}}
    evidence = read_evidence(png({"prompt": json.dumps(graph)}))
    assert evidence.declares_generated is None
    assert "without a sampler" in evidence.sources[0].text


@pytest.mark.parametrize(("label", "declares"), [("1", True), ("2", None), ("3", None)])
def test_the_label_for_ai_content_counts_where_it_is_sure(label, declares):
    text = json.dumps({"Label": label, "ContentProducer": "someone", "ProduceID": "1"})
    for texts in ({"AIGC": text}, {"Comment": json.dumps({"AIGC": json.loads(text)})}):
        evidence = read_evidence(png(texts))
        assert evidence.declares_generated is declares
        assert [source.kind for source in evidence.sources] == ["label"]


def test_a_heic_is_read_as_well():
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    picture = pillow_heif.from_pillow(Image.fromarray(pixels()))
    comment = b"ASCII\0\0\0" + A1111.encode()
    tags = exif({0x010F: "Apple"}, {0x9286: comment}).tobytes()
    picture.save(buffer, exif=tags, xmp=xmp(source_type("compositeSynthetic")))
    evidence = read_evidence(buffer.getvalue())
    assert {source.kind for source in evidence.sources} == {"prompt", "digital source type", "camera"}
    assert evidence.extent == "generated"


# === Digital source type, software, camera ===


@pytest.mark.parametrize(
    ("code", "extent"),
    [
        ("trainedAlgorithmicMedia", "generated"),
        ("compositeWithTrainedAlgorithmicMedia", "partly"),
        ("compositeSynthetic", "partly"),
        ("digitalCapture", None),
        ("algorithmicMedia", None),
        ("trainedAlgorithmicMediaNot", None),
        ("algorithmicallyEnhanced", None),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_a_digital_source_type_counts_in_every_format(kind, code, extent):
    packet = xmp(source_type(code))
    if kind == "PNG":
        data = png({"XML:com.adobe.xmp": packet.decode()}, "iTXt")
    elif kind == "TIFF":
        data = encoded("TIFF", tiffinfo={700: packet})
    elif kind == "GIF":
        plain = encoded("GIF")
        data = plain[:-1] + b"!\xff\x0bXMP DataXMP" + packet + b"\x01" + bytes(range(255, -1, -1)) + b"\0;"
    else:
        data = encoded(kind, xmp=packet)
    evidence = read_evidence(data)
    assert evidence.extent == extent
    assert evidence.declares_generated is (True if extent else None), "anyone can write that a camera took it"
    assert evidence.sources[0].kind == "digital source type"


def test_xmp_is_read_with_lists_and_history():
    history = (
        "<xmpMM:History><rdf:Seq>"
        '<rdf:li stEvt:action="saved" stEvt:softwareAgent="Adobe Photoshop 26.1" stEvt:when="2026-01-01"/>'
        "</rdf:Seq></xmpMM:History><dc:creator><rdf:Seq><rdf:li>Ada</rdf:li><rdf:li>Bo</rdf:li></rdf:Seq></dc:creator>"
    )
    evidence = read_evidence(encoded("JPEG", xmp=xmp('xmp:CreatorTool="GIMP 3.0"', history)))
    found = evidence.metadata["XMP"]
    assert found["xmp:CreatorTool"] == "GIMP 3.0"
    assert found["dc:creator"] == "Ada; Bo"
    assert "stEvt:softwareAgent: Adobe Photoshop 26.1" in found["xmpMM:History"]
    assert [source.kind for source in evidence.sources] == ["editor", "editor"]
    assert evidence.declares_generated is None


@pytest.mark.parametrize(
    ("text", "kind", "declares"),
    [
        ("Adobe Photoshop 26.0 (Macintosh)", "editor", None),
        ("Adobe Firefly", "generator", "generated"),
        ("Made with Google AI", "generator", "generated"),
        ("Edited with Google AI", "generator", "partly"),
        ("Midjourney", "generator", "generated"),
        ("DALL·E 3", "generator", "generated"),
        ("OpenAI", "generator", "generated"),
        ("NovelAI", "generator", "generated"),
        ("Snapseed 2.0", "editor", None),
        ("Ver.1.00", None, None),
        ("Firefly-like sky", "generator", "generated"),
        ("Gimpel Studios", None, None),
    ],
)
def test_generators_and_editors_are_told_apart(text, kind, declares):
    found = named([Field("EXIF Software", text)])
    assert [(source.kind, source.declares) for source in found] == ([(kind, declares)] if kind else [])


@pytest.mark.parametrize("text", ["Gemini Studios", "FIREFLY 8S", "Imagen 2 de 3", "Recraft Furniture", "Canvas Press"])
@pytest.mark.parametrize("place", ["EXIF Artist", "EXIF Model", "IPTC Credit", "XMP dc:creator", "PNG text 'Author'"])
def test_names_of_people_and_cameras_are_no_generators(text, place):
    assert named([Field(place, text)]) == []


@pytest.mark.parametrize("text", ["Gemini", "Imagen 4", "Recraft V3", "Ideogram"])
def test_the_same_words_in_a_field_for_software_are(text):
    assert [source.kind for source in named([Field("PNG text 'Software'", text)])] == ["generator"]


def test_the_line_on_top_quotes_what_says_as_much_as_it():
    evidence = read_evidence(
        png({"parameters": A1111, "XML:com.adobe.xmp": xmp(source_type("compositeSynthetic")).decode()})
    )
    assert evidence.extent == "generated"
    assert "AI-generated: Stable Diffusion prompt" in evidence.summary and "compositeSynthetic" not in evidence.summary


def test_a_caption_about_a_generator_declares_nothing():
    evidence = read_evidence(with_iptc({120: "A Midjourney picture that went round the world", 110: "Agency"}))
    assert evidence.declares_generated is None
    assert evidence.metadata["IPTC"] == {
        "Caption": "A Midjourney picture that went round the world",
        "Credit": "Agency",
    }


def test_a_credit_in_iptc_counts():
    evidence = read_evidence(with_iptc({110: "Made with Google AI"}))
    assert evidence.declares_generated is True
    assert "IPTC Credit says 'Made with Google AI'" in evidence.summary


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_camera_place_and_all_tags_are_read(kind):
    tags = exif(
        {0x010F: "Canon", 0x0110: "Canon EOS R5", 0x0131: "Snapseed"},
        {0x9003: "2025:05:01 10:00:00", 0xA434: "RF50mm", 0x829A: 0.01, 0xC0DE: "odd"},
        {1: "S", 2: (33.0, 51.0, 36.0), 3: "E", 4: (151.0, 12.0, 36.0)},
    )
    evidence = read_evidence(encoded(kind, exif=tags))
    assert evidence.metadata["EXIF"]["Model"] == "Canon EOS R5"
    assert evidence.metadata["EXIF of the camera"]["LensModel"] == "RF50mm"
    assert evidence.metadata["EXIF of the camera"]["ExposureTime"] == "0.01"
    assert evidence.metadata["EXIF of the camera"]["Tag 0xc0de"] == "odd"
    assert evidence.location is not None
    assert (evidence.location.latitude, evidence.location.longitude) == (-33.86, 151.21)
    assert "Canon EOS R5" in evidence.summary
    assert "Snapseed" in evidence.summary


def test_a_file_that_says_nothing_is_said_to_say_nothing():
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF", "TIFF"):
        evidence = read_evidence(encoded(kind))
        assert (evidence.summary, evidence.declares_generated, evidence.sources) == (NOTHING, None, ())


def test_what_is_no_image_is_refused_with_the_reason():
    with pytest.raises(ImageError, match="a PDF"):
        read_evidence(b"%PDF-1.7 something")


def test_the_profile_is_named():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG", "WEBP"):
        assert "sRGB" in read_evidence(encoded(kind, icc_profile=profile)).metadata["File"]["Colour profile"]


def test_evidence_is_json(own=PROMPTS["A1111"][0]):
    evidence = read_evidence(png(own))
    told = json.loads(json.dumps(evidence.to_dict()))
    assert told["declares_generated"] is True
    assert told["sources"][0]["details"]["Seed"] == "1234"
    small = read_evidence(with_thumbnail(pixels(320, 240), pixels(160, 120)))
    assert "rgb" not in json.loads(json.dumps(small.to_dict()))["thumbnail"]


# === JPEG coding ===


@pytest.mark.parametrize("quality", [1, 10, 29, 50, 75, 92, 95, 99])
def test_the_tables_of_libjpeg_tell_their_quality(quality):
    jpeg = read_evidence(encoded("JPEG", quality=quality, subsampling=0)).jpeg
    assert jpeg is not None
    assert (jpeg.quality, jpeg.exact, jpeg.subsampling) == (quality, True, "4:4:4")
    assert f"quality {quality}" in jpeg.encoder


@pytest.mark.parametrize("preset", JpegPresets.presets)
def test_photoshops_tables_are_named(preset):
    jpeg = read_evidence(encoded("JPEG", quality=preset)).jpeg
    assert jpeg is not None
    assert jpeg.exact
    assert jpeg.encoder.startswith("Photoshop")


def test_tables_are_read_as_the_decoder_reads_them():
    for quality in (30, 90):
        data = encoded("JPEG", quality=quality)
        with Image.open(io.BytesIO(data)) as image:
            assert blocks(data).tables == image.quantization


def test_unknown_tables_are_called_unknown():
    odd = [3 + (7 * at) % 50 for at in range(64)]
    for tables in ({0: odd}, {0: odd, 1: odd}, {0: list(range(1, 65)), 1: odd}):
        found = coding(tables, [])
        assert found is not None
        assert (found.encoder, found.exact) == (UNKNOWN, False)
    assert coding({}, []) is None


# === Thumbnails ===


def drawn(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A smooth picture, so that its thumbnail resembles it."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def shrunk(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_thumbnail_of_the_picture_does_not_differ(orientation):
    picture = drawn(640, 480)
    found = read_evidence(with_thumbnail(picture, shrunk(picture, 160, 120), orientation))
    assert found.thumbnail is not None
    assert found.thumbnail.differs is False
    assert (found.thumbnail.width > found.thumbnail.height) is (orientation in (1, 3))
    assert found.remarks == ()


def test_a_thumbnail_with_bars_does_not_differ():
    picture = drawn(600, 400)
    thumb = np.zeros((120, 160, 3), np.uint8)
    thumb[7:113] = shrunk(picture, 160, 106)
    assert read_evidence(with_thumbnail(picture, thumb)).thumbnail.differs is False


@pytest.mark.parametrize("how", ["other", "patched", "cropped", "taller"])
def test_a_thumbnail_that_shows_something_else_is_told(how):
    picture = drawn(640, 480)
    thumb = shrunk(picture, 160, 120)
    if how == "other":
        picture = drawn(640, 480, 1)
    elif how == "patched":
        picture = picture.copy()
        picture[100:260, 200:400] = 255 - picture[100:260, 200:400]
    elif how == "cropped":
        picture = np.ascontiguousarray(picture[40:-40, 60:-60])
    else:
        picture = drawn(480, 640)
    evidence = read_evidence(with_thumbnail(picture, thumb))
    assert evidence.thumbnail is not None
    assert evidence.thumbnail.differs is True
    assert "thumbnail" in evidence.remarks[0].text
    assert "does not tell" in evidence.remarks[0].meaning


@given(st.integers(1, 640), st.integers(1, 640), st.integers(1, 256), st.integers(1, 256))
def test_any_sizes_can_be_compared(width, height, across, down):
    small = Thumbnail(width, height, bytes(3 * width * height))
    differs, remark = thumbnails.compare(small, np.zeros((down, across, 3), np.uint8))
    assert (remark is not None) is (differs is True)


# === Dates ===

NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    ("taken", "changed", "told"),
    [
        ({"EXIF DateTimeOriginal": "2025:01:01 10:00:00"}, {"EXIF DateTime": "2025:01:01 10:00:00"}, ""),
        ({"EXIF DateTimeOriginal": "2025:01:01 10:00:00"}, {"EXIF DateTime": "2026:01:01 10:00:00"}, ""),
        ({"EXIF DateTimeOriginal": "2025:01:01 10:00:00"}, {"EXIF DateTime": "2024:01:01 10:00:00"}, "earlier than"),
        ({"EXIF DateTimeOriginal": "2031:01:01 10:00:00"}, {}, "in the future"),
        ({}, {"XMP xmp:ModifyDate": "2031-01-01T10:00:00Z"}, "in the future"),
        ({"EXIF DateTimeOriginal": "2025:01:01 10:00:00", "EXIF GPS date": "2025:01:02"}, {}, ""),
        ({"EXIF DateTimeOriginal": "2025:01:01 10:00:00", "EXIF GPS date": "2025:02:02"}, {}, "different times"),
        ({"EXIF DateTimeOriginal": "0000:00:00 00:00:00"}, {"EXIF DateTime": "2024:01:01 10:00:00"}, ""),
        ({"EXIF DateTimeOriginal": "nonsense"}, {}, ""),
        ({"IPTC Date created": "2025-01-01"}, {"EXIF DateTime": "2025:01:01 00:00:01"}, ""),
    ],
)
def test_dates_that_contradict_each_other_are_told(taken, changed, told):
    remarks = dates.contradictions(taken, changed, NOW)
    assert len(remarks) == bool(told)
    for remark in remarks:
        assert told in remark.text
        assert "not that the picture is fake" in remark.meaning


def test_dates_of_a_file_reach_its_remarks():
    tags = exif({0x0132: "2001:01:01 10:00:00"}, {0x9003: "2020:01:01 10:00:00"})
    evidence = read_evidence(encoded("JPEG", exif=tags, xmp=xmp('xmp:CreateDate="2010-01-01T10:00:00"')))
    assert len(evidence.remarks) == 2


# === Bounds ===


@given(st.dictionaries(st.text(), st.text(), max_size=8))
def test_metadata_are_bounded_lines_without_control_characters(entries):
    shown, left_out = group(entries)
    assert len(shown) == len(entries)
    assert not left_out
    assert all(text.isprintable() for pair in shown.items() for text in pair)


def test_long_and_many_texts_are_cut_and_what_was_left_out_is_told():
    assert bounded("x" * 10**6).endswith("(1,000,000 characters in all)")
    assert len(bounded("x" * 10**6)) < MOST_CHARACTERS + 50
    shown, left_out = group((f"n{number}", "") for number in range(1_000))
    assert (len(shown), left_out) == (MOST_ENTRIES, 1_000 - MOST_ENTRIES)
    evidence = read_evidence(png({f"keyword {number}": "a" for number in range(400)}))
    assert evidence.left_out == {"PNG text": 400 - MOST_ENTRIES}


@given(st.binary(max_size=200))
def test_any_user_comment_is_text(raw):
    assert isinstance(user_comment(raw), str)


@pytest.mark.parametrize("value", [(1.0, 2.0), (math.nan, 0.0, 0.0), (200.0, 0.0, 0.0), "text", (None, 1, 2)], ids=str)
def test_an_impossible_place_is_none(value):
    from dfcore.provenance.exif import _location

    assert _location({1: "N", 2: value, 3: "E", 4: (1.0, 2.0, 3.0)}) is None


def test_nothing_found_is_the_default():
    assert Evidence().declares_generated is None


# === Saved twice ===


def textured(side: int) -> Image.Image:
    """Noise with as much in each octave, as photographs have."""
    noise = np.random.default_rng(1)
    octaves = [
        Image.fromarray(noise.standard_normal((side // size, side // size)).astype(np.float32)).resize(
            (side, side), Image.Resampling.BICUBIC
        )
        for size in (1, 2, 4, 8, 16, 32)
    ]
    grey = 128 + 14 * sum(np.asarray(octave) for octave in octaves)
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")


@pytest.mark.parametrize(
    ("first", "second", "told"), [(None, 90, False), (None, 60, False), (60, 90, True), (50, 80, True)]
)
def test_a_second_compression_at_a_better_quality_is_told(first, second, told):
    image = textured(768)
    if first:
        image = Image.open(io.BytesIO(encoded("JPEG", image, quality=first)))
    evidence = read_evidence(encoded("JPEG", image, quality=second))
    assert evidence.jpeg is not None
    assert evidence.jpeg.saved_before is told
    assert ["saved as a JPEG before" in remark.text for remark in evidence.remarks] == [True] * told
    assert all("5 of 990" in remark.meaning for remark in evidence.remarks)


def test_a_picture_with_too_little_in_it_is_not_judged():
    flat = read_evidence(encoded("JPEG", Image.new("RGB", (300, 300), (90, 90, 90)))).jpeg
    assert flat is not None
    assert flat.saved_before is None


def test_coefficients_are_those_of_the_cosine_transform():
    from scipy.fft import dctn

    from dfcore.provenance.double_jpeg import _MODES, _coefficients

    grey = pixels(8, 8)[..., 0]
    wanted = dctn(grey.astype(float) - 128, norm="ortho")
    np.testing.assert_allclose(_coefficients(grey)[0], [wanted[mode] for mode in _MODES], atol=1e-3)


# === Sizes ===

CAMERA = {0x010F: "Canon", 0x0110: "Canon EOS R5"}


@pytest.mark.parametrize(
    ("size", "stated", "told"),
    [
        ((512, 512), None, "name the camera Canon EOS R5, and the picture has 512 × 512 pixels, fewer than cameras"),
        ((512, 512), (4032, 3024), "state a picture of 4,032 × 3,024 pixels; this one has 512 × 512"),
        ((1200, 900), (1200, 900), ""),
        ((900, 1200), (1200, 900), ""),
        ((1200, 900), (0, 0), ""),
    ],
)
def test_a_picture_of_another_size_than_its_camera_takes_is_remarked(size, stated, told):
    camera = {0xA002: stated[0], 0xA003: stated[1]} if stated else None
    picture = Image.new("RGB", size, (90, 120, 60))
    remarks = read_evidence(encoded("JPEG", picture, exif=exif(CAMERA, camera))).remarks
    assert [told in remark.text for remark in remarks if "pixels" in remark.text] == [True] * bool(told)


def test_a_small_picture_that_names_no_camera_is_nothing_to_remark():
    assert not read_evidence(encoded("JPEG", exif=exif({0x0131: "GIMP"}))).remarks


@pytest.mark.parametrize("form", ["prompt", "workflow"])
def test_the_texts_of_a_workflow_that_no_parser_knows_are_shown(form):
    if form == "prompt":
        graph: dict[str, Any] = {
            "1": {"class_type": "CLIPTextEncodeSDXL", "inputs": {"text_g": "a red barn", "clip": ["4", 1]}},
            "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry"}},
            "3": {"class_type": "MySampler", "inputs": {"seed": 3}},
        }
    else:
        graph = {"nodes": [{"type": "CLIPTextEncode", "widgets_values": ["a red barn"]},
                           {"type": "CLIPTextEncode", "widgets_values": ["blurry"]},
                           {"type": "MySampler", "widgets_values": [3]}]}  # fmt: skip
    evidence = read_evidence(png({"workflow": json.dumps(graph)}, "tEXt"))
    source = next(source for source in evidence.sources if source.kind == "prompt")
    assert source.details["Texts"] == "a red barn | blurry" and evidence.declares_generated is True
