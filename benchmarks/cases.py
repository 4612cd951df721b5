"""How long searches in a store of many judged pictures and cases take, how long writing, checking and copying it.

    python -m benchmarks.cases [--pictures 100000] [--cases 100000] [--database ADDRESS] [--out FILE]

Without --database, SQLite in a temporary folder; an address must be that of an empty database.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from dfcore.cases import Judgement, Picture, Query, Store
from dfcore.utils.files import sha256_bytes

WORDS = ("street", "portrait", "crowd", "harbour", "market", "night", "snow", "river", "protest", "stadium", "bridge")
FINDINGS = ("no_sign", "inconclusive", "fake", "real")
REPEATS = 9


def pictures(number: int, rng: np.random.Generator) -> list[tuple[Picture, Judgement]]:
    pairs = []
    for index in range(number):
        sha256 = sha256_bytes(str(index).encode())
        first, second = rng.choice(WORDS, 2)
        name = f"/srv/incoming/2026/{index // 1000:03d}/{first}_{second}_{index}.jpg"
        look = f"{int(rng.integers(2**63)):016x}"
        picture = Picture(sha256, sha256_bytes(sha256.encode()), look, name, "JPEG", 1024, 768, 250_000)
        score = float(rng.random())
        judgement = Judgement(
            "", ("small", "photographs", "faces")[index % 3], "c" * 64, name=name, by="ada", title="A detector",
            at=f"2026-{index % 12 + 1:02d}-{index % 28 + 1:02d}T12:00:00+00:00", model_sha256="d" * 64, tool="0.7.0",
            engine="openvino", score=score, logit=score, finding=FINDINGS[int(score * 3.999)], via="batch",
            decision="inconclusive", thresholds={"real_below": 0.2, "fake_from": 0.8}, ood=False,
        )  # fmt: skip
        pairs.append((picture, judgement))
    return pairs


def median(call: Callable[[], object]) -> tuple[float, float]:
    """Median and longest time in seconds."""
    call()
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken), max(taken)


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def fill(store: Store, pairs: list[tuple[Picture, Judgement]], cases: int) -> list[str]:
    lines = [f"{len(pairs):,} verdicts written: {seconds(lambda: store.remember_many(pairs)):.1f} s"]
    some = [picture.sha256 for picture, _ in pairs[:: max(1, len(pairs) // 200)]]

    def speak() -> None:
        for number, sha256 in enumerate(some):
            store.decide(sha256, ("real", "fake")[number % 2], by="ada", why="hands and reflections")
            store.note(f"reported by reader {number}, {WORDS[number % len(WORDS)]}", by="bob", picture=sha256)
            store.tag(f"desk {number % 5}", by="bob", picture=sha256)

    lines.append(f"{3 * len(some):,} decisions, notes and tags: {seconds(speak) / 3 / len(some) * 1000:.1f} ms each")

    def open_cases() -> None:
        # As `create_case` writes them, many in one transaction.
        from dfcore.cases import log
        from dfcore.cases.entry import Draft

        for start in range(0, cases, 500):
            with store.database.writing() as connection:
                drafts = [
                    Draft("case", {"title": f"Case of the {WORDS[number % len(WORDS)]} {number}"}, case=number)
                    for number in range(start + 1, min(start + 500, cases) + 1)
                ]
                log.append(connection, drafts, "ada")

    lines.append(f"{cases:,} cases opened: {seconds(open_cases):.1f} s")
    store.file(7, some[:100], by="ada")
    return lines


def searches(store: Store, pairs: list[tuple[Picture, Judgement]]) -> list[str]:
    rng, known = np.random.default_rng(1), pairs[len(pairs) // 2][0]
    unseen = Picture(
        "f" * 64, "e" * 64, f"{int(rng.integers(2**63)):016x}", mirrored=f"{int(rng.integers(2**63)):016x}"
    )
    asked: dict[str, Callable[[], object]] = {
        "newest 100": lambda: store.search(),
        "a word in a name": lambda: store.search(Query(text="harbour")),
        "two words that one picture has": lambda: store.search(Query(text="_4711.jpg 004")),
        "a word that no picture has": lambda: store.search(Query(text="submarine")),
        "a word in notes": lambda: store.search(Query(text="reader 17")),
        "the beginning of a hash": lambda: store.search(Query(text=known.sha256[:10])),
        "likely fake, highest score first": lambda: store.search(Query(finding="fake"), order="highest"),
        "by detector, month and score": lambda: store.search(
            Query(detector="faces", since="2026-03-01", until="2026-03-31", lowest=0.4, highest=0.6), order="lowest"
        ),
        "decided fake": lambda: store.search(Query(decided="fake")),
        "a tag": lambda: store.search(Query(tag="desk 3")),
        "a case's pictures": lambda: store.search(Query(case=7)),
        "the last page by name": lambda: store.search(order="name", offset=len(pairs) - 100),
        "a picture's history": lambda: store.history(known.sha256),
        "seen before: yes": lambda: store.seen(known),
        "seen before: no": lambda: store.seen(unseen),
        "cases by a word": lambda: store.cases("harbour", limit=100),
        "cases by a word that none has": lambda: store.cases("submarine", limit=100),
        "detectors and tags for filters": lambda: (store.detectors(), store.tags()),
        "what changed since a detector did": lambda: store.changed({}, limit=100),
        "one more verdict": lambda: store.remember(known, replace(pairs[0][1], score=float(rng.random()))),
    }  # fmt: skip
    lines = ["", f"{'search':<40} median     longest of {REPEATS}"]
    for name, call in asked.items():
        middle, longest = median(call)
        lines.append(f"{name:<40} {middle * 1000:7.1f} ms {longest * 1000:7.1f} ms")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--database")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        address = options.database or f"sqlite:///{place / 'cases.db'}"
        with Store(address, place / "images") as store:
            kind = address.partition(":")[0].partition("+")[0]
            lines = [f"{kind}, {options.pictures:,} pictures, {options.cases:,} cases, {psutil.cpu_count()} cores"]
            pairs = pictures(options.pictures, np.random.default_rng(0))
            lines += fill(store, pairs, options.cases)
            lines += searches(store, pairs)
            lines += ["", f"verify: {seconds(store.verify):.1f} s"]
            lines.append(f"backup: {seconds(lambda: store.backup(place / 'backup.zip')):.1f} s, "
                         f"{(place / 'backup.zip').stat().st_size / 2**20:.0f} MB")  # fmt: skip
            if store.database.path is not None:
                lines.append(f"database: {store.database.path.stat().st_size / 2**20:.0f} MB")
        with Store(f"sqlite:///{place / 'new.db'}", place / "new") as new:
            lines.append(f"restore into SQLite: {seconds(lambda: new.restore(place / 'backup.zip')):.1f} s")
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        with open(options.out, "a", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
