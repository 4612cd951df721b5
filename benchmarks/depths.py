"""At which depth of a pretrained network do real and fake part? Logistic regression on frozen features.

Run from the project's root, for example: `python -m benchmarks.depths ../shared/data/cifake --weights FILE --size 32
--stem-stride 1`. Each line is the ROC AUC and the accuracy of one depth of MobileNetV2, then of all depths up to there.
Folders named valid or test are not read. With `--by-group` whole groups are held out.
"""

import argparse

import numpy as np

from dfcore.datasets import TRAIN, scan
from dfcore.imaging.decoder import decode
from dfcore.imaging.preprocess import PreprocessSpec

DEPTHS = (
    "Conv1_relu", "block_1_expand_relu", "block_2_add", "block_3_expand_relu", "block_5_add", "block_6_expand_relu",
    "block_7_add", "block_9_add", "block_10_project_BN", "block_12_add", "block_13_expand_relu", "block_15_add",
    "block_16_project_BN", "out_relu",
)  # fmt: skip


def extractor(size: int, weights: str, stem_stride: int) -> object:
    """A compiled function from pixels to mean and deviation of every channel, depth by depth."""
    import keras
    import tensorflow as tf

    from dfcore.architectures import build_model
    from dfcore.architectures.layers import MeanStdPooling

    name = "mobilenetv2_multiscale_fine" if stem_stride == 1 else "mobilenetv2_multiscale"
    network = build_model(name, size=size, weights=weights)
    outputs = [MeanStdPooling()(network.get_layer(depth).output) for depth in DEPTHS]
    model = keras.Model(network.input, outputs)
    return tf.function(lambda pixels: model(tf.cast(pixels, tf.float32), training=False))


def judge(features: np.ndarray, labels: np.ndarray, groups: np.ndarray, strength: float, by_group: bool) -> str:
    """ROC AUC (mean over the folds) and accuracy of a regularised logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parts = LeaveOneGroupOut() if by_group else StratifiedGroupKFold(5, shuffle=True, random_state=0)
    aucs, right = [], []
    for learned, held in parts.split(features, labels, groups):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
        scores = model.fit(features[learned], labels[learned]).decision_function(features[held])
        aucs.append(roc_auc_score(labels[held], scores))
        right.append((scores > 0) == labels[held])
    return f"AUC {np.mean(aucs):.3f}  accuracy {np.concatenate(right).mean():.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_root")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--resize", default="stretch")
    parser.add_argument("--stem-stride", type=int, default=2, choices=(1, 2))
    parser.add_argument("--by-group", action="store_true")
    options = parser.parse_args()
    result = scan(options.data_root)
    rows = result.usable[result.usable.split.isna() | (result.usable.split == TRAIN)]
    labels = rows.label.to_numpy(int)
    groups = (rows.group if options.by_group else rows.sha256).to_numpy(str)
    spec = PreprocessSpec(options.size, options.resize)
    extract = extractor(options.size, options.weights, options.stem_stride)
    parts = []
    for start in range(0, len(rows), 16):
        batch = [spec.apply(decode(result.root / path)) for path in rows.path.iloc[start : start + 16]]
        parts.append([part.numpy() for part in extract(np.stack(batch))])
    features = [np.concatenate(part) for part in zip(*parts, strict=True)]
    print(
        f"{result.name}, {len(rows)} images at {options.size} px, {options.resize}, stem stride {options.stem_stride}"
    )
    for number, depth in enumerate(DEPTHS):
        alone = judge(features[number], labels, groups, 0.003, options.by_group)
        upto = judge(np.concatenate(features[: number + 1], axis=1), labels, groups, 0.001, options.by_group)
        print(f"{depth:<22} {alone}    all up to here: {upto}", flush=True)


if __name__ == "__main__":
    main()
