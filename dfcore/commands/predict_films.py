"""The films of `dfcore predict`: each is one row, with counts instead of a score, and if wanted a timeline as CSV."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dfcore.commands.base import budget_of
from dfcore.commands.terminal import progress_bar
from dfcore.utils.texts import printable, storable

if TYPE_CHECKING:
    from dfcore.batch.entries import ToJudge
    from dfcore.films.facts import FilmFacts
    from dfcore.films.judges import Judges
    from dfcore.films.rows import JudgedSample, Row
    from dfcore.films.verdict import FilmVerdict


def add_options(predict: argparse.ArgumentParser) -> None:
    """Adds the options for films."""
    predict.add_argument(
        "--every", default="1s", metavar="WHAT",
        help="frames of a film to look at: 1s (default) for one every second, 25 for every 25th, or scenes",
    )  # fmt: skip
    predict.add_argument("--no-faces", action="store_true", help="do not judge the faces in a film")
    predict.add_argument(
        "--timeline", metavar="FOLDER", help="write the scores of each film over time to a CSV file in this folder"
    )


def parted(paths: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Paths of pictures, folders and archives, and those of films, which are named themselves."""
    films = [path for path in paths if _is_film(Path(path))]
    return [path for path in paths if path not in films], [Path(path) for path in films]


def _is_film(path: Path) -> bool:
    from dfcore.datasets import kinds
    from dfcore.errors import FilmError
    from dfcore.films.containers import HEAD, recognised

    if not path.is_file():
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError:
        return False  # The reason comes with the pictures.
    try:
        recognised(head)
    except FilmError:
        # What has the name of a film gets the reader's reason.
        return kinds.of_file(path) is kinds.Kind.VIDEO and kinds.of_bytes(head) is not kinds.Kind.PICTURE
    return True


def hinted(found: "ToJudge") -> "ToJudge":
    """What was found; of a film in a folder, which is left out, with the way to have it judged."""
    from dfcore.datasets.dataset import LeftOut
    from dfcore.datasets.walk import VIDEO

    if isinstance(found, LeftOut) and found.reason == VIDEO:
        return replace(found, reason="A film in a folder is not judged: name it itself.")
    return found


class FilmRows:
    """Judges films one after the other, each as a row like those of `dfcore.batch.predict.predict_files`.

    The score is None: there is no probability for a film. The row has the counts as its reason, and `film` with all of
    them.
    """

    def __init__(self, options: argparse.Namespace, judges: "Judges"):
        """Creates it.

        Args:
            options: Of the command.
            judges: Who judges.

        Raises:
            InputError: If the sampling is none.
            StorageError: If the folder for timelines cannot be made.
        """
        from dfcore.films import Sampling
        from dfcore.films.verdict import rates_of
        from dfcore.utils.files import make_folder

        self._sampling = Sampling.parse(options.every)
        self._judges, self._rates = judges, rates_of(judges)
        self._budget = options.max_fpr, options.max_fnr, options.ignore_ood
        self._timelines = Path(options.timeline) if options.timeline else None
        self._names: set[str] = set()
        if self._timelines:
            make_folder(self._timelines)

    def identity(self) -> dict[str, Any]:
        """What rows of films depend on, beside the options of pictures."""
        return {"films": {"every": self._sampling.to_dict(), "judges": list(self._versions())}}

    def rows(
        self, films: Sequence[Path], is_done: Callable[[Path], bool] = lambda path: False
    ) -> Iterator[list[dict[str, Any]]]:
        """A list of one row for each film.

        Args:
            films: Their files.
            is_done: Whether there is a row of a film from an earlier time.
        """
        for path in films:
            timeline = self._name(path)
            if not is_done(path):
                yield [self._row(path, timeline)]

    def _versions(self) -> Iterator[tuple[str, str]]:
        every = [*self._judges.whole.values(), *([self._judges.face] if self._judges.face else [])]
        return ((one.name, one.version) for one in every)

    def _row(self, path: Path, timeline: Path | None) -> dict[str, Any]:
        from dfcore.batch.writers import COLUMNS
        from dfcore.detectors.trained_on import Seen
        from dfcore.errors import FilmError, MissingExtraError
        from dfcore.utils.files import sha256_file

        row: dict[str, Any] = dict.fromkeys([*COLUMNS, "ood_distance"]) | {"path": storable(path), "ood_reasons": []}
        try:
            row["sha256"] = sha256_file(path)
            verdict, facts, notes = self._judged(path, row["sha256"], timeline)
        except OSError as error:
            return row | {"error": f"{path} could not be read: {error.strerror or error}."}
        except (FilmError, MissingExtraError) as error:
            return row | {"error": str(error)}
        for note in notes:
            print(printable(f"dfcore: {path}: {note}"), file=sys.stderr)
        detectors = dict.fromkeys(one.detector for one in verdict.series)
        more = {"facts": facts.to_dict(), "sampling": self._sampling.to_dict(), "notes": notes}
        return row | {
            "verdict": verdict.finding, "finding": verdict.finding, "reason": " ".join(verdict.sentences()),
            "detector": ", ".join(detectors) or None, "trained_on": Seen.UNKNOWN.value,
            "film": verdict.to_dict() | more,
        }  # fmt: skip

    def _judged(
        self, path: Path, sha256: str, timeline: Path | None
    ) -> "tuple[FilmVerdict, FilmFacts, list[str]]":  # fmt: skip
        from dfcore.films import open_film
        from dfcore.films.conduct import judge_logged
        from dfcore.films.rows import all_rows
        from dfcore.films.sample_log import SampleLog, read_samples
        from dfcore.films.timeline import write_csv
        from dfcore.films.verdict import film_verdict
        from dfcore.utils.files import sha256_bytes

        how = repr((sha256, self._sampling, list(self._versions()), self._judges.face is None, self._budget))
        with ExitStack() as stack:
            film = stack.enter_context(open_film(path))
            folder = self._timelines or Path(stack.enter_context(TemporaryDirectory()))
            log = stack.enter_context(SampleLog(folder / f".{sha256_bytes(how.encode())[:16]}.rows.jsonl"))
            judges = self._judges
            if log.last is not None:
                print(printable(f"dfcore: {path}: going on after {log.number} samples"), file=sys.stderr)
                judges = self._as_before(all_rows(read_samples(log.path)))
            tell = _telling(path, film.facts, self._sampling.expected(film.facts))
            done = False
            try:
                for step in judge_logged(film, self._sampling, judges, log):
                    tell(step.sample, step.number, last=False)
                done = True
            finally:
                # What was judged stays, whatever ended it.
                if timeline is not None:
                    write_csv(timeline, read_samples(log.path))
                    if not done:
                        text = f"{log.number} samples are in {timeline}"
                        print(printable(f"\ndfcore: {path}: not read to its end; {text}"), file=sys.stderr)
            if log.last is not None:
                tell(log.last, log.number, last=True)
            verdict = film_verdict(list(all_rows(read_samples(log.path))), self._rates)
            ending = film.ending.notes if film.ending else ()
            stack.close()  # Some systems delete no open file.
            log.path.unlink(missing_ok=True)
            faces = [f"Faces were not judged. {judges.no_faces}"] if judges.no_faces else []
            return verdict, film.facts, [*film.facts.notes, *ending, *faces]

    def _as_before(self, rows: "Iterable[Row]") -> "Judges":
        """Those of the samples in the log; all, if no whole frame was judged yet."""
        chosen = next((row.detector for row in rows if row.track is None and row.detector), None)
        return self._judges.alone(chosen) if chosen and chosen in self._judges.whole else self._judges

    def _name(self, path: Path) -> Path | None:
        """The file of a film's timeline; None if none is wanted."""
        if self._timelines is None:
            return None
        name, number = f"{path.name}.csv", 1
        while name.lower() in self._names:
            number += 1
            name = f"{path.name} ({number}).csv"
        self._names.add(name.lower())
        return self._timelines / name


def film_judges(options: argparse.Namespace) -> "Judges":
    """Loads the detectors for films: the one that is named, or for `auto` all of which one is chosen, and for faces.

    Args:
        options: With bundle, engine, error budget, ignore_ood and no_faces.
    """
    from dfcore.films.conduct import ready_judges

    return ready_judges(
        (options.bundle,), partial(budget_of, options), faces=not options.no_faces, ignore_ood=options.ignore_ood,
        engine=options.engine,
    )  # fmt: skip


def _telling(path: Path, facts: "FilmFacts", expected: int | None) -> Any:
    """Shows progress: by samples, or where their number is unknown by the film's seconds."""
    bar = progress_bar(f"judging {printable(path.name)}")
    length = round(facts.seconds or 0)

    def tell(sample: "JudgedSample", number: int, *, last: bool) -> None:
        if last:
            bar(max(expected or length, 1), max(expected or length, 1))
        elif expected:
            bar(min(number, expected - 1), expected)
        elif length:
            bar(min(round(sample.position.seconds), length - 1), length)

    return tell
