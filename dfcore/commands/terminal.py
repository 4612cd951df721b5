"""Terminal output of the commands: JSON, metrics, tables, a progress line."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from dfcore.utils.texts import printable

Progress = Callable[[int, int], None]


def print_json(value: Any) -> None:
    """Prints a JSON-serialisable value."""
    print(json.dumps(value, indent=2))


def print_figures(metrics: dict[str, Any]) -> None:
    """Prints metrics by split; for those not computed, the reason.

    Args:
        metrics: {split: metrics}.
    """
    from dfcore.confidence import sides_in_words
    from dfcore.evaluation.metrics import METRICS
    from dfcore.evaluation.three_way import SHARES

    for split, result in metrics.items():
        print(f"{split}: {result['images']} images ({result['real']} real, {result['fake']} fake), ", end="")
        print(f"threshold {result['threshold']:.4f}")
        for key, metric in METRICS.items():
            if key not in result:  # Runs of earlier versions have fewer metrics.
                continue
            value, why = result[key], result["not_computed"].get(key)
            print(f"  {metric.title:<27} {f'{value:.4f}' if value is not None else f'not computed: {why}'}")
        if three := result.get("three_way"):
            says_real = three.get("says_real", True)  # Earlier runs were free to say so.
            same = "passed" if says_real else "fnr"
            rates = {key: name for key, name in SHARES.items() if key != same and three.get(key) is not None}
            text = (f"{name} {three[key]:.1%}" for key, name in rates.items())
            print(f"  {sides_in_words(three['real_below'], three['fake_from'], says_real=says_real)}: ", end="")
            print(", ".join(text))
        aucs = {
            name: group["roc_auc"] for name, group in result.get("groups", {}).items() if group["roc_auc"] is not None
        }
        if aucs:
            text = (f"{name} {auc:.4f}" for name, auc in aucs.items())
            print(f"  ROC AUC by group: {', '.join(text)}; mean {statistics.mean(aucs.values()):.4f}")


def print_by_film(result: dict[str, Any]) -> None:
    """Prints the figures for whole films, with their intervals.

    Args:
        result: From `dfcore.evaluation.by_film`.
    """
    from dfcore.confidence import sides_in_words
    from dfcore.evaluation.by_film import in_words
    from dfcore.evaluation.metrics import METRICS

    print("By film:", *in_words(result))
    for key, metric in METRICS.items():
        if not metric.summary and key not in result["intervals"]:
            continue
        value, ends = result[key], result["intervals"].get(key)
        said = f"{value:.4f}" if value is not None else f"not computed: {result['not_computed'].get(key)}"
        between = f" (95% interval over films {ends[0]:.4f} to {ends[1]:.4f})" if ends else ""
        print(f"  {metric.title:<27} {said}{between}")
    if three := result.get("three_way"):
        sides = sides_in_words(three["real_below"], three["fake_from"], says_real=three["says_real"])
        shares = ((key, name) for key, name in (("fpr", "real films above"), ("passed", "fakes below")))
        told = [f"{name} {three[key]:.1%}" for key, name in shares if three[key] is not None]
        print(f"  Thresholds of single images ({sides}): {', '.join(told)}")


def print_spread(runs: Sequence[dict[str, Any]]) -> None:
    """Prints mean and standard deviation of the metrics over several runs, by split."""
    from dfcore.evaluation.metrics import METRICS

    for split in ("cross-validation", "validation", "test"):
        result = [run[split] for run in runs if run.get(split, {}).get("images")]
        if len(result) < 2:
            continue
        print(f"{split}, {len(result)} runs (mean ± standard deviation):")
        for key, metric in METRICS.items():
            values = [metrics[key] for metrics in result if metrics.get(key) is not None]
            if len(values) > 1:
                print(f"  {metric.title:<27} {statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}")


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """Prints rows as an aligned table, with the keys as headings."""
    shown = [{name: _cell(value) for name, value in row.items()} for row in rows]
    widths = {name: max(len(name), *(len(row[name]) for row in shown)) for name in shown[0]} if shown else {}
    print("  ".join(name.ljust(width) for name, width in widths.items()))
    for row in shown:
        print("  ".join(row[name].ljust(width) for name, width in widths.items()))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else printable(value)


def progress_bar(text: str, more: Callable[[float], str] = lambda seconds: "") -> Progress:
    """Progress line on stderr, only on a terminal: percentage, rate, time left.

    Args:
        text: What is being done.
        more: What else is said, by the seconds that have passed.
    """
    began: list[tuple[float, int]] = []

    def show(done: int, total: int) -> None:
        if not sys.stderr.isatty():
            return
        now = time.monotonic()
        if not began:
            began.append((now, done))
        seconds, since = now - began[0][0], done - began[0][1]
        pace = ""
        if since and seconds > 0.5:
            left = timedelta(seconds=round((total - done) * seconds / since))
            often = since / seconds
            message = f"{often:,.0f}" if often >= 100 else f"{often:.3g}"
            pace = f" ({done:,} of {total:,}), {message} a second" + (f", {left} left" if done < total else "")
        end = "\n" if done >= total else ""
        print(
            f"\r\x1b[K{text}: {100 * done // max(total, 1)}%{pace}{more(seconds)} ",
            end=end,
            file=sys.stderr,
            flush=True,
        )

    return show
