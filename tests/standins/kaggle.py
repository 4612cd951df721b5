"""A stand-in for Kaggle on 127.0.0.1, as far as `kagglehub` asks for data sets.

    with kaggle.running() as service:
        service.add("owner/faces", {"train/real/1.png": data})
        for name, value in service.environment().items():   # How kagglehub is led here: as by a proxy.
            monkeypatch.setenv(name, value)
        service.cut("/archive/", after=1000)                # ends the connection there, once; see `transport`

Archives come from another host name than the service, with a signed address, as Kaggle's do.
"""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer

from tests.standins.transport import Handler, RefusedError, Standin, serving

USER, KEY, TOKEN, WRONG = "tester", "0123456789abcdefKeyOfTheTester", "KGAT_TokenOfTheTester", "KGAT_WrongOne"
_SIGNED = "X-Goog-Signature=5ecre7OfTheStorage"


@dataclass
class Versions:
    """A data set with its archives by version."""

    archives: dict[int, bytes] = field(default_factory=dict)
    licence: str = "MIT"
    title: str = "A set"
    private: bool = False
    consent: bool = False


class Service(Standin):
    """The running stand-in."""

    def __init__(self, server: ThreadingHTTPServer):
        super().__init__(server)
        self.sets: dict[str, Versions] = {}
        self.ranges, self.checksums = True, True

    def environment(self) -> dict[str, str]:
        """What leads kagglehub here; no request leaves the machine."""
        return {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "HTTP_PROXY": self.address, "http_proxy": self.address,
                "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}  # fmt: skip

    def add(self, name: str, files: Mapping[str, bytes] | bytes, **facts) -> Versions:
        """Publishes a version of a data set, files to be packed or the bytes of an archive; returns all of them."""
        found = self.sets.setdefault(name, Versions())
        for key, value in facts.items():
            setattr(found, key, value)
        found.archives[len(found.archives) + 1] = files if isinstance(files, bytes) else packed(files)
        return found


def packed(files: Mapping[str, bytes]) -> bytes:
    """A ZIP archive of files."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return result.getvalue()


@contextmanager
def running() -> Iterator[Service]:
    """Serves a Kaggle on a free port of 127.0.0.1 until the block ends."""
    with serving(_Handler, Service) as service:
        yield service


class _Handler(Handler):
    @property
    def service(self) -> Service:
        return self.standin  # type: ignore[return-value]

    def _is_known(self) -> bool:
        """Whether somebody signed in asks."""
        told = self.headers.get("authorization") or ""
        if not told:
            return False
        basic = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        if told not in (f"Bearer {TOKEN}", f"Basic {basic}"):
            raise RefusedError(401, "", "Unauthenticated")
        return True

    def _asked(self) -> Versions:
        asked, known = json.loads(self.body), self._is_known()
        found = self.service.sets.get(f"{asked['ownerSlug']}/{asked['datasetSlug']}")
        if found is None or (found.private and not known):
            raise RefusedError(403 if found or not known else 404, "", "Permission 'datasets.get' was denied")
        return found

    def view(self):
        found = self._asked()
        last = max(found.archives)
        self.answer({"title": found.title, "licenseName": found.licence, "currentVersionNumber": last,
                     "totalBytes": len(found.archives[last])})  # fmt: skip

    def start(self):
        found, asked = self._asked(), json.loads(self.body)
        version = int(asked.get("datasetVersionNumber") or max(found.archives))
        if found.consent or version not in found.archives:
            raise RefusedError(403 if found.consent else 404, "", "No")
        name = f"{asked['ownerSlug']}/{asked['datasetSlug']}"
        self.send(302, b"", {"Location": f"http://storage.test/archive/{name}/{version}?{_SIGNED}"})

    def archive(self, name: str, version: str):
        if self.headers.get("authorization"):
            raise RefusedError(400, "", "Two ways to sign in")
        data = self.service.sets[name].archives[int(version)]
        headers = {"ETag": f'"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"'}
        if self.service.checksums:
            md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
            headers["x-goog-hash"] = f"crc32c=AAAAAA==, md5={md5}"
        if self.service.ranges:
            self.file(data, headers | {"Accept-Ranges": "bytes"})
        else:
            self.send(200, data, headers)


_Handler.routes = (
    ("POST", r"/api/v1/datasets\.DatasetApiService/GetDataset", "view"),
    ("POST", r"/api/v1/datasets\.DatasetApiService/DownloadDataset", "start"),
    ("GET", r"/archive/(?P<name>[\w.-]+/[\w.-]+)/(?P<version>\d+)", "archive"),
)
