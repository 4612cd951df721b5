"""Data sets of Kaggle, through kagglehub: what Kaggle says of a set, and its archive, resumed where it stopped.

kagglehub knows addresses, credentials, the service and its checksums. Its own download appends whatever the server
answers and cannot be stopped or watched, so the bytes are copied here.
"""

import base64
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfcore.errors import DfcoreError, InputError
from dfcore.hub import credentials
from dfcore.hub.credentials import redacted
from dfcore.hub.pieces import Report, Seen, hand_on
from dfcore.hub.sources import Offer, Service, Source
from dfcore.utils.extras import require
from dfcore.utils.files import make_folder, read_json, write_json
from dfcore.utils.space import require_room

if TYPE_CHECKING:
    import requests

_PIECE = 1 << 16
_TIMEOUT = (10.0, 30.0)  # Seconds to connect, and between bytes.
# Attempts in a row that bring no byte; the pauses between them grow.
_ATTEMPTS = 5
_PAUSE_SECONDS = 1.0


def describe(source: Source) -> Offer:
    """Asks Kaggle about a data set.

    Raises:
        InputError: If there is none, or it may not be loaded with the credentials that were found.
        DfcoreError: If Kaggle cannot be reached.
    """
    require("kagglehub", "hub", "Loading a data set from Kaggle")
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest

    request = ApiGetDatasetRequest()
    request.owner_slug, request.dataset_slug = source.owner, source.name
    try:
        with _client(source) as client:
            found = client.datasets.dataset_api_client.get_dataset(request)
    except _passing() as error:
        raise _unreachable(error) from None
    version = source.version or str(found.current_version_number or "")
    if not version:
        raise DfcoreError(f"Kaggle does not say which version of {source.repository} is current. Try again later.")
    size = found.total_bytes or None
    there = Source(source.service, source.owner, source.name, version)
    return Offer(there, found.title or source.name, found.license_name or "", size)


def download(offer: Offer, folder: Path, report: Report, unpacked: int = 0) -> Path:
    """Loads the archive of a data set; goes on with what an earlier attempt left.

    Args:
        offer: See `describe`.
        folder: Where to, for nothing else.
        report: Called with (bytes done, bytes in all; 0 if not known); may raise to stop.
        unpacked: Bytes of it that an earlier attempt has unpacked, for which no room is needed any more.

    Returns:
        The archive, whose size and MD5 are those that the service states.

    Raises:
        InputError: If it may not be loaded.
        StorageError: If there is no room.
        DfcoreError: If Kaggle cannot be reached, or what arrives is damaged.
        OSError: If it cannot be written.
    """
    make_folder(folder)
    archive = folder / f"{offer.source.version}.archive"
    for other in folder.iterdir():  # Of another version.
        if other.stem != archive.stem:
            other.unlink()
    idle, before = 0, -1
    while True:
        try:
            if _load(offer.source, archive, report, unpacked):
                return archive
            problem = "it was damaged on the way"
        except _passing() as error:
            problem = f"the connection broke ({type(error).__name__})"
        size = archive.stat().st_size if archive.is_file() else 0
        idle, before = (0 if size > before else idle + 1), size
        if idle >= _ATTEMPTS:
            raise DfcoreError(
                f"{offer.source} could not be loaded: {problem}, {_ATTEMPTS} times in a row. What was loaded is kept; "
                "the same request goes on with it."
            )
        _pause(_PAUSE_SECONDS * 2**idle, partial(report, size, offer.download_bytes or 0))


# === Internals ===


def _load(source: Source, archive: Path, report: Report, unpacked: int) -> bool:
    """Loads what is missing of the archive; returns whether it is whole and as the service says."""
    from kagglehub.integrity import get_md5_checksum_from_response
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

    request = ApiDownloadDatasetRequest()
    request.owner_slug, request.dataset_slug = source.owner, source.name
    request.dataset_version_number = int(source.version)
    with _client(source) as client:
        response = client.datasets.dataset_api_client.download_dataset(request)
        with response:
            size = int(response.headers.get("Content-Length") or 0)
            state = {"size": size, "md5": get_md5_checksum_from_response(response) or "",
                     "etag": response.headers.get("ETag", "")}  # fmt: skip
            have = _kept(archive, state)
            needed = max(size - have, 0) + max(size - unpacked, 0)
            require_room(archive.parent, needed, f"Loading and unpacking {source}")
            write_json(_note(archive), state)
            if 0 < have < size and response.headers.get("Accept-Ranges") == "bytes":
                with _rest(response, have) as rest:
                    _copy(rest, archive, have, size, report)
            elif have < size or not size:
                _copy(response, archive, 0, size, report)
    whole = not size or archive.stat().st_size == size
    if whole and (not state["md5"] or _md5(archive, lambda _: report(size, size)) == state["md5"]):
        return True
    if archive.stat().st_size >= size:
        archive.unlink()  # Damaged; there is nothing to go on with.
    return False


def _kept(archive: Path, state: dict[str, Any]) -> int:
    """Bytes that an earlier attempt left of the very same file; what it left of another one is deleted."""
    before = None
    with suppress(OSError, ValueError):
        before = read_json(_note(archive))
    if before == state and state["size"] and archive.is_file():
        return archive.stat().st_size
    archive.unlink(missing_ok=True)
    return 0


def _rest(response: "requests.Response", begin: int) -> "requests.Response":
    import requests

    rest = requests.get(response.url, headers={"Range": f"bytes={begin}-"}, stream=True, timeout=_TIMEOUT)
    if rest.status_code != requests.codes.partial_content:
        rest.close()
        raise requests.exceptions.ConnectionError(f"status {rest.status_code}")
    return rest


def _copy(response: "requests.Response", archive: Path, begin: int, size: int, report: Report) -> None:
    done = begin
    with open(archive, "ab" if begin else "wb") as file:
        for piece in response.iter_content(_PIECE):
            file.write(piece)
            done += len(piece)
            report(done, size)


def _md5(path: Path, seen: Seen) -> str:
    # Kaggle states MD5; it finds accidents, and attackers are kept out by TLS.
    digest = hashlib.md5(usedforsecurity=False)
    hand_on(path, digest.update, seen)
    return base64.b64encode(digest.digest()).decode()


def _note(archive: Path) -> Path:
    return archive.with_suffix(".json")


def _passing() -> tuple[type[Exception], ...]:
    """What a broken connection raises, which may go by."""
    import requests

    return (
        requests.exceptions.ConnectionError, requests.exceptions.Timeout, requests.exceptions.ChunkedEncodingError,
        _Busy,
    )  # fmt: skip


class _Busy(Exception):  # noqa: N818  (a state of the service)
    """The service asks to come back later."""


@contextmanager
def _client(source: Source) -> Iterator[Any]:
    """A client of Kaggle, with its errors in the words of the workbench."""
    require("kagglehub", "hub", "Loading a data set from Kaggle")
    import kagglehub
    import requests
    from kagglehub.config import get_kaggle_credentials
    from kagglesdk.kaggle_client import KaggleClient

    logging.getLogger("kagglehub").setLevel(logging.WARNING)
    try:
        found = get_kaggle_credentials()
        names = {"username": found.username, "password": found.key, "api_token": found.api_key} if found else {}
        # As `kagglehub.clients.build_kaggle_client`, without telling Kaggle which other libraries are at work.
        with KaggleClient(user_agent=f"kagglehub/{kagglehub.__version__}", **names) as client:
            _limit_waiting(client)
            yield client
    except requests.HTTPError as error:
        raise _told(source, error) from None
    except _passing():
        raise
    except requests.RequestException as error:
        raise DfcoreError(f"Loading from Kaggle failed ({redacted(error)[:200]}).") from None
    except json.JSONDecodeError:
        raise DfcoreError(f"Kaggle's answer about {source.repository} cannot be read. Try again later.") from None
    except ValueError as error:  # A damaged file of credentials.
        raise InputError(f"{redacted(error)}. {credentials.how_to_get(Service.KAGGLE)}") from None


def _unreachable(error: Exception) -> DfcoreError:
    why = str(error) if isinstance(error, _Busy) else type(error).__name__
    return DfcoreError(
        f"Kaggle could not be reached ({why}). Check the network and the proxy "
        "(HTTPS_PROXY), and try again; anything loaded so far is kept."
    )


def _limit_waiting(client: Any) -> None:
    """Gives requests of the client a time limit, which it does not set itself."""
    from requests.adapters import HTTPAdapter

    class Limited(HTTPAdapter):
        def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]  # Passed on.
            return super().send(request, **(options | {"timeout": options.get("timeout") or _TIMEOUT}))

    session = getattr(client.http_client(), "_session", None)
    if session is not None:
        session.mount("https://", Limited())
        session.mount("http://", Limited())


def _told(source: Source, error: "requests.HTTPError") -> Exception:
    """An answer that is an error, in words."""
    status = error.response.status_code if error.response is not None else 0
    found, half = credentials.where_from(Service.KAGGLE), credentials.half_of(Service.KAGGLE)
    if status == 404:
        what = f"{source.repository}, version {source.version}," if source.version else source.repository
        private = f"If it is private: {f'{half}. ' if half else ''}{credentials.how_to_get(Service.KAGGLE)}"
        hint = "" if found else f" {private}"
        return InputError(f"Kaggle has no data set {what} or does not show it to you. Look at {source.page}.{hint}")
    if status in (401, 403):
        if found is None:
            return InputError(
                f"Kaggle wants to know who asks for {source.repository}, and {half or 'no credentials were found'}. "
                f"{credentials.how_to_get(Service.KAGGLE)}"
            )
        if status == 401:
            return InputError(
                f"Kaggle refuses the credentials from {found}: they are wrong, or were withdrawn. "
                f"{credentials.how_to_get(Service.KAGGLE)}"
            )
        return InputError(
            f"Kaggle does not give {source.repository} to the account of {found}. Sign in at {source.page} and accept "
            "the terms of the data set there."
        )
    if status == 429 or status >= 500:
        return _Busy(f"status {status}")
    return DfcoreError(f"Kaggle answered with status {status} to the request for {source.repository}.")


def _pause(seconds: float, still_wanted: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        still_wanted()
        time.sleep(min(left, 0.2))
