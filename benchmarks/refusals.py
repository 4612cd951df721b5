"""What detectors decide after the handling that images get, and what each rule that refuses images costs and saves.

Run from the project's root: `python -m benchmarks.refusals faces small`, or with the folders of two bundles of one
detector, to compare them. Held-out images (of which the detector has seen none) are judged as they are and after each
handling; then, for each rule of the gate, the error of what it refuses is shown beside that of what it lets pass; then
images of other subjects, noise and drawings, of which nothing should be decided. With `--folders` the images are those
of other labelled folders, and there are no foreign ones; with `--taught` images that taught the detector count as well,
whose errors are too small. Nothing is chosen on these images.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.shipped import kinds
from dfcore.confidence import check_ood
from dfcore.datasets import scan
from dfcore.detectors.detector import Detector
from dfcore.evaluation import HANDLED, measure_handled, predictions_path, read_predictions, refusal_table
from dfcore.evaluation.metrics import evaluate_scores
from dfcore.evaluation.refit import HANDLINGS

# Held-out images of each detector's own kind, and the kinds of images that are foreign to it.
OWN = {"faces": "faces/valid", "small": "cifake", "photographs": "modern"}
FOREIGN = {
    "faces": ("CIFAKE", "photographs", "six generators", "GAN and diffusion", "noise", "screenshots"),
    "small": ("FFHQ", "StyleGAN2", "photographs", "six generators", "GAN and diffusion", "noise", "screenshots"),
    "photographs": ("CIFAKE", "noise", "screenshots"),
}
TRIED = (
    *("original", "jpeg_90", "jpeg_70", "jpeg_50", "jpeg_40", "jpeg_30", "jpeg_20", "webp_50", "half", "resize_half"),
    *("double", "enlarged_1024", "phone", "phone_480", "screenshot", "blur", "blur_2", "noise", "noise_15", "darker"),
    *("brighter", "grey", "crop"),
)


def own_images(
    detector: Detector, roots: Path | Sequence[Path], most: int, *, taught: bool = False
) -> tuple[list[Path], list[int]]:
    """Images of labelled folders of which the detector has seen none, as many of each class.

    Args:
        detector: The detector.
        roots: A folder or several.
        most: Number of images of each class in all.
        taught: Take the ones that it was trained on as well.
    """
    parts = []
    for root in [roots] if isinstance(roots, Path) else roots:
        dataset = scan(root)
        rows = dataset.usable
        assert detector.trained_on is not None
        files = rows.pixels_sha256.tolist(), rows.sha256.tolist()
        seen = detector.trained_on.find(*files, lambda rest: (None for _ in rest))
        rows = rows[[taught or not each.found for each in seen]]
        parts.append(rows.assign(path=[str(dataset.root / path) for path in rows.path]))
    rows = pd.concat(parts, ignore_index=True)
    rows = pd.concat(
        [part.sample(min(most, len(part)), random_state=0) for _, part in rows.groupby("label")]
    ).sort_index()
    return [Path(path) for path in rows.path], rows.label.astype(int).tolist()


def judged(detector: Detector, paths: Sequence[Path], labels: Sequence[int], plan: Sequence[str]) -> pd.DataFrame:
    """label, handling, score, and the rules that refuse each image after each handling."""
    bank = measure_handled(detector, paths, labels, [plan] * len(paths))
    table, ood = bank.table, detector.ood_detector
    assert ood is not None
    assert detector.card.ood is not None
    rows = zip(
        ood.relative(bank.features), table.side.astype(int), table.quality.map(lambda q: None if np.isnan(q) else q),
        table.colour, table.flat, ood.judged(bank.features)[1], strict=True,
    )  # fmt: skip
    results = [check_ood(detector.card.ood.limits, *row) for row in rows]
    table["score"] = detector.card.calibration.apply(table.logit.to_numpy(float))
    table["rules"] = [" ".join(result.rules) for result in results]
    table["is_ood"] = [result.is_ood for result in results]
    return table


def by_handling(table: pd.DataFrame, detector: Detector) -> pd.DataFrame:
    """Refused, decided and wrong by handling; shares of all images of their class, as the card's figures are."""
    thresholds, rows = detector.card.thresholds, []
    for name, part in table.groupby("handling", sort=False):
        alarm = ~part.is_ood & (part.score >= thresholds.fake_from)
        low = ~part.is_ood & (part.score < thresholds.real_below)
        real, fake = part.label == 0, part.label == 1
        auc = evaluate_scores(part.label.to_numpy(int), part.score.to_numpy(float), 0.5)["roc_auc"]
        rows.append({"handling": name, "images": len(part), "AUC": auc, "refused": part.is_ood.mean(),
                     "outside thresholds": (alarm | low).mean(), "false alarms": alarm[real].mean(),
                     "fakes passed": low[fake].mean(), "fakes found": alarm[fake].mean()})  # fmt: skip
    return pd.DataFrame(rows)


def foreign(detector: Detector, name: str, data: Path, aside: Path) -> pd.DataFrame:
    """How many images of each foreign kind are refused, as they are, shared by phone and enlarged."""
    rows = []
    for kind, sources in kinds(data).items():
        if not kind.startswith(FOREIGN[name]):
            continue
        paths = []
        for number, source in enumerate(sources[:50]):
            if isinstance(source, np.ndarray):
                Image.fromarray(source).save(aside / f"{kind[:5]}-{number}.png")
                source = aside / f"{kind[:5]}-{number}.png"
            paths.append(Path(str(source)))
        table = judged(detector, paths, [0] * len(paths), ("original", "phone", "enlarged_1024"))
        shares = table.groupby("handling", sort=False).is_ood.mean()
        thresholds, passing = detector.card.thresholds, table[~table.is_ood]
        called = ((passing.score >= thresholds.fake_from) | (passing.score < thresholds.real_below)).sum()
        rows.append({"images": kind, "count": len(paths)} | {f"refused, {k}": v for k, v in shares.items()}
                    | {"outside thresholds": called / len(table)})  # fmt: skip
    return pd.DataFrame(rows)


def show_stored(detector: Detector) -> None:
    """The tables of the card: by the held-out images on which the gate was fitted, without running the network."""
    assert detector.folder is not None
    path = predictions_path(detector.folder, HANDLED)
    if not path.is_file():
        print("It has no gate by measured handling.")
        return
    table = read_predictions(path).rename(columns={"group": "handling"})
    print("\nHeld-out images on which the gate was fitted, by handling:")
    print(by_handling(table, detector).round(3).to_string(index=False))
    print("\nWhat each rule costs and saves, over all handlings:")
    rules = pd.DataFrame(refusal_table(table, detector.card.thresholds))
    print(rules.drop(columns="rule").round(3).to_string(index=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("detectors", nargs="+", help="names, or folders named as the detector is")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--most", type=int, default=150, help="images of each class")
    parser.add_argument("--stored", action="store_true", help="only the images on which the gate was fitted, as stored")
    parser.add_argument("--folders", nargs="+", help="labelled folders in the data, instead of the detector's own kind")
    parser.add_argument("--taught", action="store_true", help="images that it was trained on as well")
    options = parser.parse_args()
    pd.set_option("display.width", 200, "display.max_columns", 20)
    for bundle in options.detectors:
        detector, name = Detector.load(bundle), Path(bundle).name
        thresholds = detector.card.thresholds
        print(f"\n=== {bundle}: fake from {thresholds.fake_from:.3f}, lower threshold {thresholds.real_below:.3f}")
        if options.stored:
            show_stored(detector)
            continue
        folders = options.folders or [OWN[name]]
        paths, labels = own_images(
            detector, [options.data / each for each in folders], options.most, taught=options.taught
        )
        if not paths:
            print(f"\nIt has seen all images of {', '.join(folders)} (see --taught).")
            continue
        table = judged(detector, paths, labels, [each for each in HANDLINGS if each in TRIED])
        told = "Images (it may have been trained on them)" if options.taught else "Held-out images"
        print(f"\n{told} of {', '.join(folders)}, by handling; {len(paths)} images, {sum(labels)} fake:")
        print(by_handling(table, detector).round(3).to_string(index=False))
        print("\nWhat each rule costs and saves, over all handlings:")
        print(pd.DataFrame(refusal_table(table, thresholds)).drop(columns="rule").round(3).to_string(index=False))
        if options.folders:
            continue
        with tempfile.TemporaryDirectory() as aside:
            print("\nForeign images:")
            print(foreign(detector, name, options.data, Path(aside)).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
