"""Sample pictures whose truth is known: photographs that scikit-learn ships, and reconstructions of them of our making.

They were chosen to show what a verdict looks like, not how good a detector is.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dfcore.datasets.demo import sample_images
from dfcore.imaging import decoder
from dfcore.labels import FAKE, REAL
from dfcore.utils.files import sha256_bytes

# Made once, by `benchmarks/samples.py`: the network would take seconds and 0.8 GB of a server for two pictures.
RECONSTRUCTIONS = Path(__file__).with_name("reconstructions")

_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>'
    "</rdf:RDF></x:xmpmeta>"
)


@dataclass(frozen=True)
class Sample:
    """A picture whose truth is known.

    Attributes:
        name: File name, without a hint of the truth.
        title: Name shown to users, without one either.
        data: Contents of the file.
        label: Its class, see `dfcore.labels`.
        truth: What it is, a sentence.
        shows: What it was chosen to show, a sentence.
    """

    name: str
    title: str
    data: bytes
    label: int
    truth: str
    shows: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the contents."""
        return sha256_bytes(self.data)


def samples() -> list[Sample]:
    """The samples; the same bytes each time."""
    photographs = {name: data for name, data in sample_images().items() if name.startswith("photograph")}
    temple, flower = map(decoder.decode, photographs.values())
    temple_again, flower_again = (decoder.decode((RECONSTRUCTIONS / name).read_bytes()) for name in photographs)
    how = "passed through TAEF2, an autoencoder that image generators use"
    return [
        Sample(
            "temple-1.png", "Temple 1", _png(temple), REAL,
            "A photograph: china.jpg from scikit-learn, CC BY 2.0.",
            "It shows what is said of a photograph.",
        ),
        Sample(
            "temple-2.png", "Temple 2", _png(temple_again), FAKE,
            f"Self-made: the same photograph, {how}. No picture of a generator.",
            "It shows how little such a trace changes for the eye, and whether the detector sees it.",
        ),
        Sample(
            "flower-1.png", "Flower 1", _png(flower), REAL,
            "A photograph: flower.jpg from scikit-learn, CC BY 2.0.",
            "It shows what is said of a photograph with a blurred background.",
        ),
        Sample(
            "flower-2.png", "Flower 2", _png(flower_again, _XMP), FAKE,
            f"Self-made: the same photograph, {how}; its file declares that.",
            "It shows that a file may say more than its pixels: look at the line above the picture.",
        ),
    ]  # fmt: skip


def _png(pixels: np.ndarray, xmp: str = "") -> bytes:
    from PIL.PngImagePlugin import PngInfo

    buffer, info = io.BytesIO(), PngInfo()
    if xmp:
        info.add_itxt("XML:com.adobe.xmp", xmp)
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()
