"""Where a detector was pulled from, and exactly what: `pulled.json` beside its card, and a digest of a bundle's files.

The digest can be computed without this workbench: `sha256sum` of the files in the order of their names, and `sha256sum`
of what that prints. It names the same files wherever they lie, so that whoever passes a detector on can tell it by a
way that the Hub does not control.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dfcore.detectors.bundle import CARD
from dfcore.errors import BundleError
from dfcore.utils.files import read_json, remembered, sha256_bytes, sha256_file, write_json
from dfcore.utils.texts import printable

PULLED = "pulled.json"
_MOST = 2**20


class PinnedFile(BaseModel):
    """A file as it was pulled.

    Attributes:
        size: Bytes.
        sha256: Hash of its content.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    size: int
    sha256: str


class Pulled(BaseModel):
    """Where a detector was pulled from.

    Attributes:
        source: Address, without the revision.
        revision: As asked for; "" for the main branch.
        commit: Hash of the commit that it meant.
        at: When, ISO 8601 in UTC.
        licence: As the repository stated it then; "" if it did not, or was not asked yet.
        files: What was pulled, by name.
        card_sha256: Hash of the card once it was admitted: the part on OpenVINO is written anew here.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: str
    revision: str = ""
    commit: str
    at: str
    licence: str = ""
    files: dict[str, PinnedFile]
    card_sha256: str = ""

    @property
    def digest(self) -> str:
        """See `digest`."""
        return digest({name: file.sha256 for name, file in self.files.items()})

    def which(self) -> str:
        """Revision, commit and date, as they follow the source in a line."""
        asked = f", revision {self.revision}" if self.revision not in ("", self.commit) else ""
        return printable(f"{asked}, commit {self.commit[:12]}, on {self.at[:10]}")


def digest(files: Mapping[str, str]) -> str:
    """SHA-256 of a bundle's files together.

    Args:
        files: {name: SHA-256}.

    Example:
        >>> digest({"b": "22", "a": "11"}) == sha256_bytes(b"11  a\\n22  b\\n")
        True
    """
    return sha256_bytes("".join(f"{files[name]}  {name}\n" for name in sorted(files)).encode())


def write(folder: Path, pulled: Pulled) -> None:
    """Writes the record into a bundle that was just admitted."""
    pulled = pulled.model_copy(update={"card_sha256": sha256_file(folder / CARD)})
    write_json(folder / PULLED, pulled.model_dump(mode="json"))


def read(folder: Path) -> Pulled | None:
    """The record of a bundle; None if it was not pulled.

    Raises:
        BundleError: If it is damaged.
    """
    path = Path(folder) / PULLED
    return _read(path) if path.is_file() else None


@remembered(most=200)
def _read(path: Path) -> Pulled:
    try:
        if path.stat().st_size > _MOST:
            raise BundleError(f"{path} is larger than {_MOST // 2**20} MB and was refused.")
        return Pulled.model_validate(read_json(path))
    except (OSError, ValueError, ValidationError, RecursionError) as error:
        raise BundleError(f"{path} is damaged: {printable(error)[:200]}. Pull the detector again.") from None


def changed(folder: Path, pulled: Pulled) -> list[str]:
    """Names of pulled files that are no longer as they were pulled, or gone."""
    told = {name: file.sha256 for name, file in pulled.files.items()} | {CARD: pulled.card_sha256}
    return [name for name, expected in sorted(told.items()) if _hash(folder / name) != expected]


def _hash(path: Path) -> str:
    return sha256_file(path) if path.is_file() else ""
