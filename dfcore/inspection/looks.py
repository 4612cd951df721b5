"""What kind of picture a file seems to hold, in plain words, where its properties tell."""

from dfcore.imaging import ImageFacts

# Sides of screens in pixels, shorter first: phones and tablets, then computers. A screenshot has them to the pixel.
_PHONES = {
    (640, 1136), (720, 1280), (720, 1520), (720, 1600), (720, 1612), (750, 1334), (828, 1792), (1080, 1920),
    (1080, 2160), (1080, 2220), (1080, 2280), (1080, 2310), (1080, 2316), (1080, 2340), (1080, 2376), (1080, 2388),
    (1080, 2392), (1080, 2400), (1080, 2408), (1080, 2412), (1080, 2460), (1125, 2436), (1170, 2532), (1179, 2556),
    (1206, 2622), (1242, 2208), (1242, 2688), (1284, 2778), (1290, 2796), (1320, 2868), (1344, 2992), (1440, 2560),
    (1440, 2880), (1440, 2960), (1440, 3040), (1440, 3088), (1440, 3120), (1440, 3200), (1488, 2266), (1536, 2048),
    (1620, 2160), (1640, 2360), (1668, 2388), (2048, 2732),
}  # fmt: skip
_COMPUTERS = {
    (768, 1366), (800, 1280), (900, 1440), (900, 1600), (1024, 1280), (1050, 1680), (1080, 1920), (1200, 1920),
    (1440, 2560), (1600, 2560), (1664, 2560), (1800, 2880), (1864, 2880), (1964, 3024), (2160, 3840), (2234, 3456),
}  # fmt: skip
_CAMERA_TAGS = ("Make", "Model", "FNumber", "ExposureTime", "ISOSpeedRatings")
_LOSSLESS = ("PNG", "WEBP", "BMP", "TIFF")


def looks_like(facts: ImageFacts) -> str | None:
    """A kind of picture, with its article, for a sentence; None where nothing tells.

    By properties of the file alone: a screenshot says so in its EXIF data, or has the size of a screen and no camera's
    tags and is stored without loss. A generated picture may have the size of a screen too, so it is put with care:
    "perhaps".
    """
    if "screenshot" in facts.exif.get("UserComment", "").lower():
        return "a screenshot"
    if any(tag in facts.exif for tag in _CAMERA_TAGS) or facts.format not in _LOSSLESS:
        return None
    sides = (min(facts.width, facts.height), max(facts.width, facts.height))
    upright = facts.height > facts.width
    if sides in _PHONES and (upright or sides not in _COMPUTERS):
        return "perhaps a phone's screenshot (it has the size of a screen)"
    if sides in _COMPUTERS and not upright:
        return "perhaps a screenshot (it has the size of a screen)"
    return None
