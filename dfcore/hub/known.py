"""Public sets of real and fake images by name: where they are, what is in them, and what they are good and bad for.

Sizes and licences are as the pages of the sets stated them in 2026; what the service says when a set is fetched counts.
"""

from dataclasses import dataclass
from typing import Any

from dfcore.errors import InputError
from dfcore.hub.sources import Source, parse
from dfcore.utils.texts import pasted


@dataclass(frozen=True)
class KnownSet:
    """A public data set.

    Attributes:
        name: By which it is asked for, and name of its folder.
        title: Name for people.
        address: Where it is, see `sources.parse`; "" if there is none that a program may load from.
        images: Number of images or videos, in words.
        size: Bytes to load, about; None if not known.
        licence: As its page says.
        layout: What is in it.
        good, bad: What it is good for, and what not, a sentence each.
        page: Its page for people.
        request: How to get it where its owners want a signed request first; "" if they do not.
    """

    name: str
    title: str
    address: str
    images: str
    size: int | None
    licence: str
    layout: str
    good: str
    bad: str
    page: str
    request: str = ""

    @property
    def source(self) -> Source | None:
        """Its address; None if it is to be asked for."""
        return parse(self.address) if self.address else None


def _on_kaggle(name: str, title: str, repository: str, **more: Any) -> KnownSet:
    page = f"https://www.kaggle.com/datasets/{repository}"
    return KnownSet(name, title, f"kaggle:{repository}", page=page, **more)


def _on_the_hub(name: str, title: str, repository: str, **more: Any) -> KnownSet:
    page = f"https://huggingface.co/datasets/{repository}"
    return KnownSet(name, title, f"hf:{repository}", page=page, **more)


_SETS = (
    _on_kaggle(
        "cifake", "CIFAKE: Real and AI-Generated Synthetic Images",
        "birdy654/cifake-real-and-ai-generated-synthetic-images",
        images="120,000 images of 32 x 32 pixels: 60,000 of CIFAR-10, 60,000 of Stable Diffusion 1.4",
        size=105_000_000, licence="MIT", layout="{train,test}/{REAL,FAKE}: 100,000 and 20,000 images",
        good="Small and quick: a first training in minutes, and comparison with published figures.",
        bad="Thumbnails of one generator: what is learned from them says nothing about photographs.",
    ),
    _on_kaggle(
        "deepfake-and-real-images", "deepfake and real images", "manjilkarki/deepfake-and-real-images",
        images="190,335 faces of 256 x 256 pixels, cut out of OpenForensics",
        size=1_800_000_000, licence="see its page, and that of OpenForensics",
        layout="Dataset/{Train,Validation,Test}/{Real,Fake}: 140,002, 39,428 and 10,905 images",
        good="Many faces that were put into other pictures; widely used.",
        bad="Its test split is harder than its validation split, and all was made by one method: other fakes of faces "
        "look different.",
    ),
    _on_kaggle(
        "140k-faces", "140k Real and Fake Faces", "xhlulu/140k-real-and-fake-faces",
        images="140,000 faces of 256 x 256 pixels: 70,000 of FFHQ, 70,000 of StyleGAN",
        size=4_000_000_000,
        licence="see its page; FFHQ is CC BY-NC-SA 4.0, and the fakes were published as CC BY-NC 4.0",
        layout="real_vs_fake/real-vs-fake/{train,valid,test}/{real,fake}, with tables",
        good="A balanced set of whole faces with fixed splits.",
        bad="One generator of 2019 and one source of real faces: a detector learns how the two were prepared, and "
        "diffusion models are not in it.",
    ),
    _on_the_hub(
        "tiny-genimage", "Tiny GenImage", "TheKernel01/Tiny-GenImage",
        images="35,000 images: photographs of ImageNet, and ADM, BigGAN, GLIDE, Midjourney, Stable Diffusion 1.4 and "
        "1.5, VQDM, Wukong",
        size=8_359_198_723, licence="cc-by-nc-sa-4.0",
        layout="Parquet with image, label (real, fake) and generator: train 28,000, validation 7,000; written out as "
        "{train,validation}/{real,fake}/GENERATOR",
        good="Eight generators: how a detector does on one that it never saw can be measured.",
        bad="Real images are JPEG files of ImageNet, fakes of some generators PNG files: formats and sizes tell the "
        "classes apart. Audit it, and train on a neutralised copy.",
    ),
    _on_the_hub(
        "openfake", "OpenFake", "ComplexDataLab/OpenFake",
        images="665,000 images: photographs of LAION, and recent generators",
        size=414_406_779_472, licence="cc-by-sa-4.0; images of some generators under further terms, see its page",
        layout="Parquet with image, label (real, fake) and model: train 635,138, test 30,000; written out as "
        "{train,test}/{real,fake}/MODEL",
        good="Recent generators and subjects of the news.",
        bad="Needs 1 TB while it is fetched. Its terms forbid to train generators on it.",
    ),
    KnownSet(
        "faceforensics", "FaceForensics++", "",
        "1,000 videos of faces, and the same manipulated by Deepfakes, Face2Face, FaceSwap and NeuralTextures", None,
        "terms of FaceForensics: research and education, no redistribution",
        "original_sequences/…, manipulated_sequences/…",
        "The usual reference for face swaps and reenactment.",
        "Methods of 2019; videos of which frames have to be extracted first.",
        "https://github.com/ondyari/FaceForensics",
        "Its owners ask for a signed request: fill in the form that https://github.com/ondyari/FaceForensics/tree/master/"
        "dataset links to; the answer holds their download script. Run it, extract frames of the videos as image files "
        "beside them (this workbench judges pictures), and give the folder.",
    ),
    KnownSet(
        "celeb-df", "Celeb-DF (v2)", "",
        "590 videos of celebrities and 300 others from YouTube, and 5,639 face swaps", None,
        "terms of Celeb-DF: research, no redistribution", "Celeb-real, YouTube-real, Celeb-synthesis",
        "Better face swaps than those of FaceForensics++: a hard test for detectors trained there.",
        "Few people, one method; videos of which frames have to be extracted first.",
        "https://github.com/yuezunli/celeb-deepfakeforensics",
        "Its owners ask for a signed request: fill in the form that https://github.com/yuezunli/celeb-deepfakeforensics"
        " links to; the answer holds a link. Load it, extract frames of the videos as image files beside them (this "
        "workbench judges pictures), and give the folder.",
    ),
)  # fmt: skip
KNOWN: dict[str, KnownSet] = {one.name: one for one in _SETS}


def known(text: str) -> KnownSet | None:
    """The known set of this name or address; None if there is none."""
    wanted = pasted(text).lower()
    if wanted in KNOWN:
        return KNOWN[wanted]
    try:
        source = parse(text)
    except InputError:
        return None
    return next((one for one in _SETS if one.source is not None and one.source.same_as(source)), None)


def find(text: str) -> tuple[KnownSet | None, Source | None]:
    """What is meant by a name or an address: a known set, and where to load it from.

    Raises:
        InputError: If it is neither.
    """
    one = known(text)
    if one is not None and pasted(text).lower() == one.name:
        return one, one.source
    try:
        return one, parse(text)
    except InputError as error:
        if ":" in text or "/" in text:  # Meant for an address.
            raise
        names = ", ".join(KNOWN)
        raise InputError(f"{str(error)[:-1]}, which is none of the known sets either ({names}).") from None
