"""Pushes detectors to the Hugging Face Hub: as one commit, private unless said otherwise, with a model card.

`prepare` asks nobody: it tells what would be sent, to whom, and what it holds. `push` sends that. Files that are there
already are not sent again, also those of a push that was interrupted; nothing is seen of it before the commit, which
comes last. Files that left the bundle since the last push are removed; other files there are left alone.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dfcore import __version__
from dfcore.detectors.bundle import MODEL, verify
from dfcore.detectors.card import Card
from dfcore.errors import AccessError, BundleError, DfcoreError, InputError
from dfcore.exchange.import_export import most_bytes
from dfcore.hub import hugging_face, licences, model_card, pinned
from dfcore.hub.addresses import Address
from dfcore.hub.credentials import how_to_get, where_from
from dfcore.hub.download import Report, hashes, hashes_of
from dfcore.hub.sources import Service
from dfcore.utils.files import sha256_file
from dfcore.utils.texts import printable, volume

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

Step = Callable[[str], Report]
README = "README.md"
_MAIN = "main"
_MOST_MESSAGE = 200


@dataclass(frozen=True)
class Plan:
    """What a push would send.

    Attributes:
        bundle: Folder of the detector.
        address: Where it goes; its revision is a branch, "" for the main one.
        public: Whether a new repository is visible to all; one that exists stays as it is.
        message: Message of the commit.
        card: The detector's card.
        licence: Identifier of the licence on the Hub; "" if none is stated.
        chosen: What the request itself says, of "licence" and "predictions"; where it does not, nothing of it changes
            there without a question.
        files: {name: bytes} of the bundle's files.
        digest: Digest of these files, see `dfcore.hub.pinned`.
        readme: Text of the model card.
    """

    bundle: Path
    address: Address
    public: bool
    message: str
    card: Card
    licence: str
    chosen: frozenset[str]
    files: dict[str, int]
    digest: str
    readme: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values()) + len(self.readme.encode())

    def rows(self) -> list[dict[str, str]]:
        """A table of what would be sent, a row a file."""
        sizes = self.files | {README: len(self.readme.encode())}
        return [
            {"file": name, "size": volume(size), "holds": model_card.holds(name)}
            for name, size in sorted(sizes.items())
        ]


@dataclass(frozen=True)
class Pushed:
    """What was pushed.

    Attributes:
        address: The repository at the commit.
        page: Its page.
        private: Whether only its owner sees it.
        sent: Files that were sent; none if all were there already.
        removed: Files that were removed since the bundle no longer has them.
        digest: Digest of the bundle's files.
    """

    address: Address
    page: str
    private: bool
    sent: tuple[str, ...]
    removed: tuple[str, ...]
    digest: str


def prepare(
    bundle: Path,
    address: Address,
    *,
    public: bool = False,
    licence: str = "",
    message: str = "",
    predictions: bool | None = None,
) -> Plan:
    """Finds out what a push would send; asks nobody.

    Args:
        bundle: Folder of the detector.
        address: Where it goes; its revision is the branch.
        public: Whether a new repository shall be visible to all.
        licence: Identifier of a licence on the Hub; by default what was stated where it was pulled from, else what the
            card states.
        message: Message of the commit.
        predictions: Whether the tables of scores go along, which name images by their paths; by default they do.

    Raises:
        BundleError: If the bundle is damaged.
        InputError: If the licence is unknown, the revision is a commit, or a public detector would have no licence.
    """
    card = verify(bundle)
    if address.is_pinned:
        raise InputError(f"Expected a branch after @. Received a commit, to which nothing can be added: {address}.")
    identifier, name = (licences.require_known(licence), "") if licence else _stated(bundle, card)
    if public and not identifier:
        raise InputError(
            "The detector's card states no licence, and what is public without one may be used by nobody. State one "
            "(--license apache-2.0, for example; mind the licences of the images it learned from), or keep it private."
        )
    paths = {
        path.name: path
        for path in sorted(bundle.iterdir())
        if most_bytes(path.name) and (predictions is not False or not _is_table(path.name))
    }
    if too_large := [name for name, path in paths.items() if path.stat().st_size > most_bytes(name)]:
        raise BundleError(f"{', '.join(too_large)} of {bundle} is larger than any that could be pulled again.")
    files = {each: path.stat().st_size for each, path in paths.items()}
    digest = pinned.digest({each: sha256_file(path) for each, path in paths.items()})
    readme = model_card.make(card, address, licence=identifier, licence_name=name, digest=digest, files=files)
    said = " ".join(message.split())[:_MOST_MESSAGE] or f"Detector of dfcore {__version__}, files {digest[:12]}"
    chosen = frozenset({"licence"} if licence else ()) | frozenset({"predictions"} if predictions is not None else ())
    return Plan(bundle, address, public, said, card, identifier, chosen, files, digest, readme)


def _stated(bundle: Path, card: Card) -> tuple[str, str]:
    """(identifier, name) of a detector's licence: as stated where it was pulled from, or else on its card."""
    pulled = pinned.read(bundle)
    published = licences.of_hub(pulled.licence) if pulled is not None else ("", "")
    return published if published[0] else licences.of_card(card.licence)


def _is_table(name: str) -> bool:
    return name.startswith("predictions_")


def push(plan: Plan, *, step: Step | None = None) -> Pushed:
    """Sends a detector.

    Args:
        plan: What to send, from `prepare`.
        step: Begins a step of the work and returns what gets its progress in kilobytes; whatever that raises ends the
            push. Nothing is seen of it then but a repository without files, if it was new; another one goes on with it.

    Raises:
        AccessError: If the token is missing, wrong, or may not write there; if the repository is public and `plan` is
            not.
        InputError: If it would change the licence that is stated there, or add tables of scores to a detector that was
            published without, and nobody said so.
        DfcoreError: If the Hub cannot be reached, or somebody changed the repository meanwhile.
    """
    api, address = hugging_face.client(), plan.address
    branch = address.revision or _MAIN
    if not api.token:
        raise AccessError(f"Pushing needs a token of the Hugging Face Hub. {how_to_get(Service.HUGGING_FACE, 'write')}")
    step = step or (lambda _: lambda done, total: None)
    with hugging_face.explained(address, writes=True), _told_whose(api, address):
        step(f"Asking for {address}")(0, 0)
        api.create_repo(address.repository, private=not plan.public, exist_ok=True)
        state = _state(api, address, _MAIN)
        if not state.private and not plan.public:
            raise AccessError(
                f"{address.at('')} is public, and the detector would be seen by all. Say so if it shall be (--public), "
                "or choose another name."
            )
        if branch != _MAIN:
            api.create_branch(address.repository, branch=branch, exist_ok=True)
            state = _state(api, address, branch)
        _require_meant(plan, state)
        sent = tuple(name for name, given in _told(plan).items() if not _is_there(given, state.files.get(name)))
        removed = tuple(name for name in state.files if most_bytes(name) and name not in plan.files)
        commit = state.commit
        if sent or removed:
            # Files stay open until the end: the library reads the small ones when it commits.
            with ExitStack() as opened:
                operations = _sent(api, plan, branch, sent, step(f"Sending {address}, kB"), opened)
                step("Committing")(0, 0)
                commit = _commit(api, plan, branch, operations, removed, state.commit)
    page = address.page if branch == _MAIN else f"{address.page}/tree/{branch}"
    return Pushed(address.at(commit), page, state.private, sent, removed, plan.digest)


@contextmanager
def _told_whose(api: "HfApi", address: Address) -> Iterator[None]:
    """Where the token may not write, says so if the owner is the reason."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except HfHubHTTPError as error:
        if error.response.status_code != 403:
            raise
        with suppress(HfHubHTTPError):
            asks = api.whoami()
            names = [printable(one["name"]) for one in (asks, *asks.get("orgs", ()))]
            if address.owner.lower() not in map(str.lower, names):
                raise AccessError(
                    f"The Hugging Face Hub does not let the account of {where_from(Service.HUGGING_FACE)} write "
                    f"{address.repository}: {address.owner} is not this account. Expected one of its names "
                    f"({', '.join(names)}), as in hf:{names[0]}/{address.name}."
                ) from None
        raise


@dataclass(frozen=True)
class _State:
    """A branch as it is: its commit, whether only its owner sees it, its licence, and hashes of its files.

    The hashes are (SHA-256 or "", git's or "").
    """

    commit: str
    private: bool
    licence: str
    files: dict[str, tuple[str, str]]


def _require_meant(plan: Plan, there: _State) -> None:
    """Checks that the licence there is not lost, and no paths are told, without anybody having said so."""
    if "licence" not in plan.chosen and there.licence not in ("", plan.licence):
        keeps = f" --license {there.licence} keeps it." if there.licence in licences.KNOWN else ""
        raise InputError(
            f"{plan.address} states the licence {printable(there.licence)[:40]} now, and this push would state "
            f"{plan.licence or 'none'}. Say which it shall be (--license).{keeps}"
        )
    tables = [name for name in plan.files if _is_table(name)]
    if "predictions" not in plan.chosen and tables and MODEL in there.files and not any(map(_is_table, there.files)):
        raise InputError(
            f"{plan.address} was published without scores of images, and this push would add {', '.join(tables)}, "
            "which name images by their paths. Say which it shall be: --without-predictions or --with-predictions."
        )


def _state(api: "HfApi", address: Address, branch: str) -> _State:
    info = api.model_info(address.repository, revision=branch, files_metadata=True)
    files = {one.rfilename: (one.lfs.sha256 if one.lfs else "", one.blob_id or "") for one in info.siblings or ()}
    licence = (info.card_data.to_dict() if info.card_data else {}).get("license") or ""
    return _State(info.sha or "", bool(info.private), str(licence), files)


def _told(plan: Plan) -> dict[str, Path | bytes]:
    """Content of what is to be there, by name."""
    return {name: plan.bundle / name for name in plan.files} | {README: plan.readme.encode()}


def _is_there(given: Path | bytes, there: tuple[str, str] | None) -> bool:
    if there is None:
        return False
    found = hashes(given) if isinstance(given, Path) else hashes_of(given)
    return found.sha256 == there[0] if there[0] else found.git == there[1]


def _sent(
    api: "HfApi", plan: Plan, branch: str, names: tuple[str, ...], report: Report, opened: ExitStack
) -> "list[CommitOperationAdd]":
    """Sends the large files, one after another; small ones travel with the commit."""
    from huggingface_hub import CommitOperationAdd

    told, total, done, operations = _told(plan), sum(plan.files.get(name, 0) for name in names), 0, []
    for name in names:
        given = told[name]
        if isinstance(given, bytes):
            operations.append(CommitOperationAdd(name, given))
            continue
        file = opened.enter_context(_Counted(given))
        operation = CommitOperationAdd(name, file)
        file.report = _from(done, total, report)
        try:
            api.preupload_lfs_files(plan.address.repository, additions=[operation], revision=branch)
        except RuntimeError as error:  # The library wraps whatever ended an upload.
            raise error.__cause__ or error from None
        file.report = None
        done += plan.files[name]
        report(done // 1000, total // 1000)
        operations.append(operation)
    return operations


def _commit(
    api: "HfApi",
    plan: Plan,
    branch: str,
    operations: "list[CommitOperationAdd]",
    removed: tuple[str, ...],
    parent: str,
) -> str:
    from huggingface_hub import CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    deletions = [CommitOperationDelete(name, is_folder=False) for name in removed]
    try:
        with warnings.catch_warnings():
            # The tables of scores belong to the detector.
            warnings.filterwarnings("ignore", "It seems that you are about to commit a data file")
            done = api.create_commit(
                plan.address.repository,
                [*operations, *deletions],
                commit_message=plan.message,
                revision=branch,
                parent_commit=parent,
            )
    except HfHubHTTPError:
        raise
    except ValueError as error:  # The Hub has looked at the model card's metadata.
        raise DfcoreError(f"The Hugging Face Hub refused the model card: {printable(error)[:300]}") from None
    return str(done.oid)


class _Counted(io.BufferedReader):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path):
        super().__init__(io.FileIO(path))
        self.report: Report | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        """See `io.BufferedReader.read`; what `report` raises ends the reading."""
        data = super().read(size)
        if self.report is not None:
            self.report(self.tell(), 0)
        return data


def _from(done: int, total: int, report: Report) -> Report:
    """Progress of one file in bytes as that of all in kilobytes."""
    return lambda there, _: report((done + there) // 1000, total // 1000)
