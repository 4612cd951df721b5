"""Makes the reconstructions that Inspect's samples ship with, anew: `python -m benchmarks.samples`, from the root."""

from PIL import Image

from dfcore.datasets.demo import sample_images
from dfcore.imaging import decoder
from dfcore.inspection.samples import RECONSTRUCTIONS
from dfcore.synthesis import taef2


def main() -> None:
    for name, data in sample_images().items():
        if name.startswith("photograph"):
            rgb = decoder.decode(data)
            made = taef2.reconstruct(rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2])
            Image.fromarray(made).save(RECONSTRUCTIONS / name, optimize=True)


if __name__ == "__main__":
    main()
