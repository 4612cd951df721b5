"""The process that reads metadata, `python -m dfcore.provenance.child`: requests on stdin, answers on stdout.

Before it reads untrusted bytes it limits itself: memory, processor time per file, no file writes, no core dumps, and no
opening of anything, so no network either.
"""

import io
import json
import os
import sys
from importlib import import_module

from PIL import Image, PngImagePlugin

from dfcore.errors import ImageError
from dfcore.imaging.sandbox.protocol import receive, send
from dfcore.provenance.parse import parse
from dfcore.utils.extras import installed
from dfcore.utils.processes import forbid_files, forbid_opening, limit_memory, limit_time

# In addition to what the interpreter and its libraries use: a picture of 16 megapixels with transparency is looked
# through for hidden text, beside the file of at most 64 MB.
MEMORY_BYTES = 400 * 2**20
CPU_SECONDS = 2
_LATE_IMPORTS = (
    "c2pa", "defusedxml.ElementTree", "sd_parsers.parsers", "encodings.utf_16", "encodings.utf_16_be",
    "encodings.utf_16_le", "encodings.utf_8_sig", "encodings.latin_1", "encodings.ascii", "encodings.iso2022_jp",
    "encodings.cp1252", "encodings.utf_32", "encodings.idna",
)  # fmt: skip


def main() -> None:
    """Answers requests until stdin is closed."""
    # Output printed by libraries goes to stderr, not between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _load_all()
    limit_memory(MEMORY_BYTES)
    forbid_files()
    forbid_opening()
    while True:
        try:
            request, data = receive(sys.stdin.buffer)
        except EOFError:
            return
        limit_time(CPU_SECONDS)
        try:
            evidence = parse(data, str(request.get("trust_list", "")))
        except ImageError as error:
            send(answers, {"error": str(error)})
        except MemoryError:
            send(answers, {"error": "There was not enough memory to read the file's metadata."})
        else:
            text = json.dumps(evidence.to_dict()).encode()
            pixels = evidence.thumbnail.rgb if evidence.thumbnail else b""
            send(answers, {"text": len(text)}, text + pixels)
        # Waiting must not cost the memory of the last file.
        data, evidence = b"", None  # type: ignore[assignment]  # bound anew by the next request


def _load_all() -> None:
    """Imports what is otherwise imported when first needed: later nothing can be opened."""
    Image.init()
    for name in (*_LATE_IMPORTS, *(["pillow_heif"] if installed("pillow_heif") else [])):
        import_module(name)
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a\nSteps: 1, Sampler: b, CFG scale: 1, Seed: 1")
    text.add_itxt("XML:com.adobe.xmp", '<x xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:RDF/></x>')
    for kind, options in (("PNG", {"pnginfo": text}), ("JPEG", {}), ("WEBP", {}), ("AVIF", {}), ("TIFF", {})):
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32)).save(buffer, kind, **options)
        parse(buffer.getvalue())


if __name__ == "__main__":
    main()
