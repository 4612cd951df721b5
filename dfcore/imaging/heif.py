"""HEIC and other HEIF pictures, as iPhones write them: read by pillow-heif, if it is installed."""

import io

from PIL import Image

from dfcore.errors import ImageError
from dfcore.utils.extras import install, installed

# Code points of ISO/IEC 23091-2: BT.709, not stated; PQ and HLG.
_SRGB_PRIMARIES, _HDR = (1, 2), (16, 18)


def open_heif(data: bytes) -> Image.Image:
    """Opens the primary picture of a file; its header is read, its pixels are not decoded.

    Rotation and mirroring that the container states are applied by the decoder, and EXIF's orientation, which only
    repeats them, is reset: each is applied exactly once. Thumbnails, depth and auxiliary pictures are ignored.

    Raises:
        ImageError: If pillow-heif is not installed; names the extra.
    """
    if not installed("pillow_heif"):
        raise ImageError(
            f"An iPhone photo in HEIC, or another HEIF picture: {install('heic')} installs what reads it, or export "
            "it as JPEG."
        )
    from pillow_heif import HeifImageFile, options

    # The stack of each thread counts towards the memory limit of the decoding process.
    options.DECODE_THREADS = 1
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    return HeifImageFile(io.BytesIO(data))


def notes(image: Image.Image) -> list[str]:
    """What is to be told of an opened HEIF."""
    count = getattr(image, "n_frames", 1)
    result = [f"The file holds {count} pictures; the primary one was read."] if count > 1 else []
    coding = image.info.get("nclx_profile") or {}
    primaries, transfer = coding.get("color_primaries", 1), coding.get("transfer_characteristics", 1)
    if "icc_profile" not in image.info and (primaries not in _SRGB_PRIMARIES or transfer in _HDR):
        result.append("Its colours are coded for a wider or brighter screen than sRGB's; they were not converted.")
    return result
