"""The gate: which images a detector judges, fitted on what handling was measured to do to its score.

Held-out images are put through the handlings of `dfcore.imaging.handling`. Those after which the score keeps the error
budget, at thresholds that decide most, belong to the detector's domain; the others do not. The limits of size, JPEG
quality, colour and flatness lie between the two, so that an image is refused for what was measured to break the score
and not for being unlike the training images as such. What no property tells apart passes; its error is on the card.
"""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field


class MeasuredHandling(BaseModel):
    """What a handling does to a detector's decisions on held-out images that its gate lets pass.

    Attributes:
        handling: Name in `dfcore.imaging.handling`, or "original".
        images: Number of held-out images.
        refused: Share that the gate refuses, in [0, 1].
        fpr: Share of the real images let pass that are called likely fake; None if none passes.
        passed: Share of the fakes let pass below the lower threshold; None if none passes.
        inconclusive: Share of the images let pass between the thresholds; None if none passes.
        sound: Whether the score keeps the budget after it, so that the thresholds count it in.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    handling: str
    images: int = Field(ge=0)
    refused: float = 0.0
    fpr: float | None = None
    passed: float | None = None
    inconclusive: float | None = None
    sound: bool = False


class Gate(BaseModel):
    """Limits of the images that a detector judges; one that is None refuses nothing.

    Attributes:
        sides: Smallest and largest shorter side in pixels.
        quality_from: Lowest JPEG quality.
        colour_from: Lowest mean saturation, see `dfcore.confidence.ood.saturation`.
        flat: Lowest and highest share of flat pixels, see `dfcore.confidence.ood.flatness`.
        measured: What each handling was measured to do.
        fitted_on: Description of the held-out images.
        learned: Number of handled training images, the last ones among `OODDetector.references`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    sides: tuple[float | None, float | None] = (None, None)
    quality_from: float | None = None
    colour_from: float | None = None
    flat: tuple[float | None, float | None] = (None, None)
    measured: tuple[MeasuredHandling, ...] = ()
    fitted_on: str = ""
    learned: int = Field(default=0, ge=0)

    def misfits(self, side: int | None, quality: float | None, colour: float, flat: float) -> Iterator[tuple[str, str]]:
        """Yields (rule, phrase) for each property beyond its limit; unknown properties are skipped."""
        low, high = self.sides
        if side is not None and low is not None and side < low:
            yield (
                "small",
                f"its shorter side has {side} pixels; below {low:.0f} the score was measured to err too often",
            )
        if side is not None and high is not None and side > high:
            yield (
                "large",
                f"its shorter side has {side} pixels; above {high:.0f} the score was not measured, or errs too often",
            )
        if quality is not None and self.quality_from is not None and quality < self.quality_from:
            yield (
                "compressed",
                f"it is strongly compressed (JPEG quality about {quality:.0f}); below {self.quality_from:.0f} the "
                "score was not measured, or errs too often",
            )
        if self.colour_from is not None and colour < self.colour_from:
            yield "colourless", "it has hardly any colour; without, the score was measured to err too often"
        low, high = self.flat
        if low is not None and flat < low:
            yield (
                "noisy",
                "hardly any of its pixels are like their neighbours; on noisy images the score was measured to err too "
                "often",
            )
        if high is not None and flat > high:
            yield (
                "flat",
                f"{flat:.0%} of it is perfectly flat, as in drawings and screenshots, unlike the training images",
            )
