"""Whether a picture has the size that its EXIF data state, and one that the named camera may have given it."""

from dfcore.provenance.evidence import Remark

# Fewer pixels than nearly all cameras since 2000 take.
_LEAST_PIXELS = 700_000
_MEANING = (
    "Websites and messengers resize pictures, and keep or drop what a camera wrote; people write such data into other "
    "pictures, too. It does not show that the picture is fake; ask for the file as the camera wrote it."
)


def contradiction(width: int, height: int, camera: str, stated: tuple[str, str]) -> Remark | None:
    """What does not fit together, if anything.

    Args:
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
        camera: The camera that the EXIF data name; "" if they name none.
        stated: Width and height that they state, as text; "" where they do not.
    """
    has, says = f"{width:,} × {height:,}", tuple(int(text) for text in stated if text.isascii() and text.isdecimal())
    if len(says) == 2 and min(says) > 0 and sorted(says) != sorted((width, height)):
        text = f"The EXIF data state a picture of {says[0]:,} × {says[1]:,} pixels; this one has {has}."
        return Remark(f"{text} It was resized or cropped since, or the data are from another picture.", _MEANING)
    if camera and width * height < _LEAST_PIXELS:
        text = f"The EXIF data name the camera {camera}, and the picture has {has} pixels, fewer than cameras take."
        return Remark(f"{text} It was resized or cropped since, or the data were written by somebody else.", _MEANING)
    return None
