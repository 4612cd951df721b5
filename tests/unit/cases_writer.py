"""A process that writes into a store of cases until it is killed, and says of each write that it is done.

python -m tests.unit.cases_writer ADDRESS FOLDER FIRST [COUNT]
"""

import sys
from itertools import count, islice
from pathlib import Path

from dfcore.cases import Store
from dfcore.utils.files import sha256_bytes
from tests.unit.cases import a_judgement, a_picture


def data_of(number: int) -> bytes:
    """The bytes of a picture."""
    return f"the bytes of picture {number}".encode()


def main(address: str, folder: str, first: str, most: str = "") -> None:
    """Writes verdicts, notes, decisions, cases and pictures, and deletes every fifth picture."""

    def done(what: str, key: object) -> None:
        print(what, key, flush=True)

    with Store(address, Path(folder)) as store:
        done("opened", "")
        for number in islice(count(int(first)), int(most) if most else None):
            sha256 = sha256_bytes(data_of(number))
            store.remember(a_picture(number, sha256=sha256), a_judgement(record={"text": "x" * 20_000}))
            done("judged", number)
            if number % 5 == 4:
                store.keep_image(sha256, data_of(number), by="ada")
                done("kept", number)
                store.forget(sha256, by="ada", why="every fifth")
                done("forgotten", number)
            elif number % 5 == 3:
                case = store.create_case(f"case {number}", by="ada")
                store.file(case.id, [sha256], by="ada")
                done("filed", number)
            elif number % 5 == 2:
                store.keep_image(sha256, data_of(number), by="ada")
                done("kept", number)
            else:
                store.note(f"note {number}", by="ada", picture=sha256)
                store.decide(sha256, "real", by="ada")
                done("decided", number)


if __name__ == "__main__":
    main(*sys.argv[1:])
