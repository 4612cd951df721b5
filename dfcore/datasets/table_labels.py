"""Reads the labels of a table's rows. A number is never taken on trust.

Which number is real is told by another column of the row, by the words in its path, or by the column's own name
(`is_fake`); the confirmation has to hold for nearly all rows. Otherwise a person is asked.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from dfcore.datasets import noun
from dfcore.datasets.table_columns import (
    GROUPS,
    MEANT,
    label_names,
    labels_by_direction,
    labels_by_generator,
    named,
    number_text,
    word_share,
)
from dfcore.datasets.words import parse_label
from dfcore.errors import ConventionUnknown, LayoutError
from dfcore.labels import FAKE, NAMES, REAL

# A confirmation has to exist for this share of the rows, and to agree with this share of them.
_NEARLY_ALL = 0.9
_MOST_VALUES = 50
_SHOWN = 8
Labels = Sequence[int | None]


@dataclass(frozen=True)
class RowLabels:
    """The labels of a table's rows.

    Attributes:
        labels: 0 real, 1 fake, or None, for each row.
        reasons: Why a row has none, or None.
        notes: How the column was read.
        doubts: What a person should look at.
    """

    labels: list[int | None]
    reasons: list[str | None]
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def label_column(table: pd.DataFrame, taken: set[str], said: Mapping[str, str]) -> str | None:
    """The column that holds the labels.

    The one with the values that a user explained; or else one of words, one with a name such as is_fake, one of
    generators and "real", or one with a name such as label.
    """
    free = [name for name in table.columns if name not in taken]
    by_name = label_names(free)
    if said:
        meant = {number_text(value) for value in said}
        holding = {name: table[name].map(number_text).isin(meant).mean() for name in [*by_name, *free]}
        best = max(holding, key=lambda name: holding[name], default=None)
        return best if best is not None and holding[best] > 0 else next(iter(by_name), None)
    words = [name for name in by_name if word_share(table[name]) >= 0.5]
    words += [name for name in free if name not in by_name and word_share(table[name], strong=True) >= _NEARLY_ALL]
    directed = [name for name in free if labels_by_direction(table[name], name) is not None]
    generators = [name for name in table.columns if name in {*by_name, *named(table.columns, GROUPS)}
                  and labels_by_generator(table[name])]  # fmt: skip
    return next(iter([*words, *directed, *generators, *by_name]), None)


def read_labels(
    table: pd.DataFrame,
    column: str,
    by_path: Labels,
    *,
    paths: Sequence[str],
    said: Mapping[str, str],
    name: str,
    taken: set[str],
) -> RowLabels:
    """Reads the labels of rows.

    Args:
        table: The rows, as text.
        column: The column that holds the labels.
        by_path: The class that the words of each row's path name.
        paths: Each row's path, for messages.
        said: Class of each value, as a user said.
        name: The table's name, for messages.
        taken: Columns with another meaning.

    Raises:
        ConventionUnknown: If nothing tells what the values mean.
        LayoutError: If what tells it contradicts itself.
    """
    cells = table[column]
    if said:
        return _as_said(cells, said, column)
    by_generator = labels_by_generator(cells)
    if by_generator:
        result = _with_reasons(cells, by_generator, column, "Expected real or a generator")
        doubt = (
            f"{name}: the column {column} names generators beside real {noun.many()}; their {noun.many()} are read as "
            "fake."
        )
        return _against_paths(RowLabels(result.labels, result.reasons, [], [doubt]), by_path, column, name)
    if word_share(cells) >= 0.5:
        labels = [parse_label(value) for value in cells]
        result = _with_reasons(cells, labels, column, "Expected the label real or fake")
        others = _other_columns(table, column, taken)
        _require_agreement(table, labels, others, column, name)
        for other in named([other for other in table.columns if other not in {column, *taken}], MEANT):
            _require_meaning(table[other], other, labels, f"the column {column}", name)
        return _against_paths(result, by_path, column, name)
    directed = labels_by_direction(cells, column)
    if directed is not None:
        others = _other_columns(table, column, taken)
        _require_agreement(table, directed, [*others, ("the paths", by_path)], column, name)
        note = f"{name}: the column {column} says by its name that {_spelt(cells, directed)}."
        result = _with_reasons(cells, directed, column, "Expected yes or no")
        return RowLabels(result.labels, result.reasons, [note])
    return _confirmed(table, column, by_path, paths, name, taken)


def _as_said(cells: "pd.Series[str]", said: Mapping[str, str], column: str) -> RowLabels:
    meaning = {number_text(value): NAMES.index(label) for value, label in said.items()}
    labels = [meaning.get(number_text(value)) for value in cells]
    known = ", ".join(f"{value} ({label})" for value, label in said.items())
    if not any(label is not None for label in labels):
        there = Counter(str(value)[:60] for value in cells).most_common(_SHOWN)
        raise LayoutError(
            f"Expected the column {column} to hold one of the labels that were given: {known}. Received: "
            f"{', '.join(f'{value!r} in {count} rows' for value, count in there)}."
        )
    return _with_reasons(cells, labels, column, f"Expected one of the labels that were given: {known}")


def _with_reasons(cells: "pd.Series[str]", labels: Labels, column: str, expected: str) -> RowLabels:
    reasons = [
        None if label is not None else f"{expected} in the column {column}. Received: {str(value)[:60]!r}."
        for value, label in zip(cells, labels, strict=True)
    ]
    return RowLabels(list(labels), reasons)


def _other_columns(table: pd.DataFrame, column: str, taken: set[str]) -> list[tuple[str, Labels]]:
    """Other columns that name the class of a row, by words or as yes and no."""
    result: list[tuple[str, Labels]] = []
    for other in table.columns:
        if other == column or other in taken:
            continue
        by_name = bool(label_names([other]))
        directed = labels_by_direction(table[other], other)
        if word_share(table[other], strong=not by_name) >= _NEARLY_ALL:
            result.append((f"the column {other}", [parse_label(value) for value in table[other]]))
        elif directed is not None:
            result.append((f"the column {other}", directed))
    return result


def _require_agreement(
    table: pd.DataFrame, labels: Labels, others: Sequence[tuple[str, Labels]], column: str, name: str
) -> None:
    for other, by_other in others:
        both = [(a, b) for a, b in zip(labels, by_other, strict=True) if a is not None and b is not None]
        differ = sum(a != b for a, b in both)
        if differ > (1 - _NEARLY_ALL) * len(both):
            raise LayoutError(
                f"{name}: the column {column} and {other} contradict each other in {differ} of {len(both)} rows. Read "
                f"with {column}: {_counted(labels)}. Read with {other.removeprefix('the column ')}: "
                f"{_counted(by_other)}. Expected one meaning; choose it with --columns label=COLUMN and --labels "
                "real=…,fake=…, or with --class-folders real=…,fake=… for the folders."
            )


def _against_paths(result: RowLabels, by_path: Labels, column: str, name: str) -> RowLabels:
    both = [(a, b) for a, b in zip(result.labels, by_path, strict=True) if a is not None and b is not None]
    differ = sum(a != b for a, b in both)
    if differ and differ >= 0.5 * len(both):
        raise LayoutError(
            f"{name}: the column {column} and the folders contradict each other in {differ} of {len(both)} rows. Read "
            f"with {column}: {_counted(result.labels)}. Read with the folders: {_counted(by_path)}. Expected one "
            "meaning; choose it with --labels real=…,fake=… or --class-folders real=…,fake=…."
        )
    doubts = [_disagreement(differ, len(both), column, name)] if differ else []
    return RowLabels(result.labels, result.reasons, result.notes, [*result.doubts, *doubts])


def _disagreement(differ: int, rows: int, column: str, name: str) -> str:
    return f"{name}: {differ} of {rows} labels in the column {column} contradict the folders; the table counts."


def _confirmed(
    table: pd.DataFrame, column: str, by_path: Labels, paths: Sequence[str], name: str, taken: set[str]
) -> RowLabels:
    """Labels by values that mean nothing by themselves: each stands for the class that the rest of its rows names."""
    keys = [number_text(value) for value in table[column]]
    filled = Counter(key for key in keys if key)
    witnesses = [*_other_columns(table, column, taken), ("the words in the paths", by_path)]
    meanings: list[tuple[str, dict[str, int], int]] = []
    for witness, labels in witnesses:
        meaning = _require_meaning(table[column], column, labels, witness, name)
        if meaning:
            wrong = sum(
                label is not None and meaning.get(key) != label for key, label in zip(keys, labels, strict=True)
            )
            meanings.append((witness, meaning, wrong))
    if not meanings:
        _ask(column, filled, keys, paths, name)
    for witness, meaning, _ in meanings[1:]:
        if meaning != meanings[0][1]:
            raise LayoutError(
                f"{name}: what the values of the column {column} mean is told twice, and differently. By "
                f"{meanings[0][0]}: {_told(meanings[0][1])}. By {witness}: {_told(meaning)}. Choose with --labels "
                f"{_choice(meanings[0][1])} or --labels {_choice(meaning)}."
            )
    witness, meaning, wrong = meanings[0]
    result = _with_reasons(table[column], [meaning.get(key) for key in keys], column, "Expected a label")
    note = f"{name}: in the column {column}, {_told(meaning)}; {witness} confirm" + ("" if " paths" in witness else "s")
    doubts = [_disagreement(wrong, len(keys), column, name)] if wrong else []
    return RowLabels(result.labels, result.reasons, [f"{note} it."], doubts)


def _require_meaning(
    cells: "pd.Series[str]", column: str, labels: Labels, witness: str, name: str
) -> dict[str, int] | None:
    """The class that each value of a column stands for by other labels of its rows; None where too few tell."""
    keys = [number_text(value) for value in cells]
    meaning = _meaning(keys, labels, Counter(key for key in keys if key))
    if isinstance(meaning, str):
        raise LayoutError(
            f"{name}: the column {column} and {witness} contradict each other: {meaning}. Expected each value to stand "
            "for one class; say which column holds the labels with --columns label=COLUMN, what its values mean with "
            "--labels real=…,fake=…, or which folders count with --class-folders real=…,fake=…."
        )
    return meaning


def _meaning(keys: Sequence[str], labels: Labels, filled: Mapping[str, int]) -> dict[str, int] | str | None:
    """The class that each value stands for; None where too few rows tell; in words where a value stands for both."""
    counts = {key: Counter[int]() for key in filled}
    for key, label in zip(keys, labels, strict=True):
        if key and label is not None:
            counts[key][label] += 1
    told = sum(sum(count.values()) for count in counts.values())
    if not told or told < _NEARLY_ALL * sum(filled.values()):
        return None
    mixed = {
        key: count for key, count in counts.items() if count and max(count.values()) < _NEARLY_ALL * sum(count.values())
    }
    if mixed:
        return ", ".join(
            f"{key!r} is real in {count[REAL]} rows and fake in {count[FAKE]}" for key, count in list(mixed.items())[:3]
        )
    meaning = {key: count.most_common(1)[0][0] for key, count in counts.items() if count}
    # Words that name one class for every value say nothing of the values: a folder `photos` around them all.
    says = len(meaning) == len(filled) and (len(filled) == 1 or len({*meaning.values()}) == 2)
    return meaning if says else None


def _ask(column: str, filled: Mapping[str, int], keys: Sequence[str], paths: Sequence[str], name: str) -> None:
    values: dict[str, tuple[int, tuple[str, ...]]] = {}
    for key, count in sorted(filled.items(), key=lambda item: (-item[1], item[0]))[:_MOST_VALUES]:
        examples = [path for path, other in zip(paths, keys, strict=True) if other == key][:3]
        values[key] = (count, tuple(examples))
    said = ", ".join(f"{key!r} ({n} rows, e.g. {examples[0]})" for key, (n, examples) in list(values.items())[:_SHOWN])
    more = f" and {len(filled) - _SHOWN} more values" if len(filled) > _SHOWN else ""
    empty = sum(not key for key in keys)
    raise ConventionUnknown(
        f"{name}: nothing in the table, its paths or its folders tells which values of the column {column} are real "
        f"and which are fake. Received: {said or 'no value'}{more}{f', and {empty} empty cells' if empty else ''}. "
        "Expected the words real and fake, or what the values mean, with --labels real=…,fake=… (it is remembered for "
        "this data set), or another column, with --columns label=COLUMN.",
        column,
        values,
    )


def _counted(labels: Labels) -> str:
    return f"{sum(label == REAL for label in labels)} real and {sum(label == FAKE for label in labels)} fake"


def _told(meaning: Mapping[str, int]) -> str:
    return " and ".join(f"{key} is {NAMES[label]}" for key, label in sorted(meaning.items())[:_SHOWN])


def _choice(meaning: Mapping[str, int]) -> str:
    return ",".join(
        f"{NAMES[label]}={'+'.join(key for key, value in sorted(meaning.items()) if value == label)}"
        for label in (REAL, FAKE)
    )


def _spelt(cells: "pd.Series[str]", labels: Labels) -> str:
    return _told(dict(sorted({number_text(c): x for c, x in zip(cells, labels, strict=True) if x is not None}.items())))
