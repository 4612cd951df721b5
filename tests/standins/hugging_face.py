"""A stand-in for the Hugging Face Hub on 127.0.0.1, as far as `huggingface_hub` asks: models and data sets.

    with hugging_face.running() as hub:
        hub.store.add("dataset", "owner/faces", {"train/real/1.png": data}, card={"license": "mit"})
        monkeypatch.setenv("HF_ENDPOINT", hub.address)      # or pass it to HfApi(endpoint=…)
        monkeypatch.setenv("HF_TOKEN", hugging_face.TOKEN)  # of the user "tester"; READ_ONLY may not write
        hub.cut("1.png", after=100)                         # ends the connection there, once
        hub.fail("/tree/", 503, times=2)                    # answers so, twice
        hub.requests                                        # what was asked, with status, range and token

Large files are served from another host name (localhost), as the Hub's are, so that a token sent there can be told.
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

import yaml

from tests.standins.hub_store import Blob, Repository, Store, is_large
from tests.standins.transport import Handler, RefusedError, Standin, serving

TOKEN = "hf_StandInTokenOfTheTester"
READ_ONLY = "hf_StandInTokenThatOnlyReads"
WRONG = "hf_StandInTokenThatNobodyHas"
_NAME = r"(?P<name>[\w.-]+/[\w.-]+)"
_KIND = r"/api/(?P<kind>model|dataset)s/" + _NAME
_RESOLVE = r"/(?P<kind>datasets/)?" + _NAME


class Hub(Standin):
    """The running stand-in."""

    def __init__(self, server: ThreadingHTTPServer):
        super().__init__(server)
        self.store = Store(users={TOKEN: ("tester", "write"), READ_ONLY: ("tester", "read")})
        self.page = 1000
        self.part_size: int | None = None


@contextmanager
def running() -> Iterator[Hub]:
    """Serves a hub on a free port of 127.0.0.1 until the block ends."""
    with serving(_Handler, Hub) as hub:
        yield hub


class _Handler(Handler):
    @property
    def hub(self) -> Hub:
        return self.standin

    # Who asks, and for what

    def _user(self) -> tuple[str, str] | None:
        """Name and role of who asks; None without a token."""
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if not token:
            return None
        if token not in self.hub.store.users:
            raise RefusedError(401, "", "Invalid credentials in Authorization header")
        return self.hub.store.users[token]

    def _repository(self, kind: str, name: str, *, write: bool = False) -> Repository:
        kind, user = kind.removesuffix("s/"), self._user()
        found = self.hub.store.repositories.get((kind or "model", name))
        mine = user is not None and user[0] == name.split("/")[0]
        if found is None or (found.private and not mine):
            raise RefusedError(404 if user else 401, "RepoNotFound", "Repository not found")
        if write and not (mine and user is not None and user[1] == "write"):
            raise RefusedError(403, "", "You don't have the rights to write to this repository")
        return found

    @staticmethod
    def _commit_of(repository: Repository, revision: str) -> str:
        sha = repository.resolve(revision)
        if sha is None or sha not in repository.commits:
            raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return sha

    # Accounts and repositories

    def whoami(self):
        user = self._user()
        if user is None:
            raise RefusedError(401, "", "Invalid username or password.")
        role = {"accessToken": {"displayName": "tests", "role": user[1]}}
        self.answer({"type": "user", "id": "1", "name": user[0], "fullname": user[0], "orgs": [], "auth": role})

    def create(self):
        user, asked = self._user(), json.loads(self.body)
        owner = asked.get("organization") or (user[0] if user else "")
        if user is None:
            raise RefusedError(401, "", "Invalid username or password.")
        if user != (owner, "write"):
            raise RefusedError(403, "", f'You don\'t have the rights to create a model under the namespace "{owner}"')
        kind, name = asked.get("type", "model"), f"{owner}/{asked['name']}"
        prefix = "datasets/" if kind == "dataset" else ""
        there = (kind, name) in self.hub.store.repositories
        if not there:
            private = asked.get("visibility") == "private" or bool(asked.get("private"))
            self.hub.store.add(kind, name, private=private)
        self.answer({"url": f"{self.hub.address}/{prefix}{name}", "name": name}, 409 if there else 200)

    def validate(self):
        found = re.match(r"---\n(.*?)\n---\n", json.loads(self.body)["content"], re.DOTALL)
        try:
            said = yaml.safe_load(found.group(1)) if found else None
        except yaml.YAMLError as error:
            return self.answer({"errors": [{"message": str(error)}], "warnings": []}, 400)
        if not isinstance(said, dict):
            return self.answer({"errors": [], "warnings": [{"message": "empty or missing yaml metadata in repo card"}]})
        wrong = [] if isinstance(said.get("model-index", []), list) else ["model-index must be a list"]
        wrong += [
            f'"{key}" must be a list' for key in ("tags", "datasets", "metrics") if isinstance(said.get(key), dict)
        ]
        return self.answer({"errors": [{"message": text} for text in wrong], "warnings": []}, 400 if wrong else 200)

    def info(self, kind: str, name: str, revision: str = "main"):
        repository = self._repository(kind, name)
        self.answer(repository.info(self._commit_of(repository, revision)))

    def refs(self, kind: str, name: str):
        repository = self._repository(kind, name)
        branches = [
            {"name": ref, "ref": f"refs/heads/{ref}", "targetCommit": sha} for ref, sha in repository.refs.items()
        ]
        self.answer({"branches": branches, "tags": [], "converts": []})

    def branch(self, kind: str, name: str, revision: str):
        repository = self._repository(kind, name, write=True)
        if revision in repository.refs:
            raise RefusedError(409, "", "Reference already exists")
        start = json.loads(self.body or b"{}").get("startingPoint") or "main"
        repository.refs[revision] = self._commit_of(repository, start)
        self.answer({})

    def tree(self, kind: str, name: str, revision: str, folder: str = ""):
        repository = self._repository(kind, name)
        files = repository.commits[self._commit_of(repository, revision)]
        base = f"{folder}/" if folder else ""
        listed = {path: one.entry(path) for path, one in files.items() if path.startswith(base)}
        if self.query.get("recursive", "").lower() not in ("true", "1"):
            listed = _one_level(listed, base)
        if folder and not listed:
            raise RefusedError(404, "EntryNotFound", f"{folder} does not exist")
        entries, start = [listed[path] for path in sorted(listed)], int(self.query.get("cursor", 0))
        headers = {}
        if start + self.hub.page < len(entries):
            at = f"{self.hub.address}{urlsplit(self.path).path}?recursive={self.query.get('recursive', 'False')}"
            headers["Link"] = f'<{at}&cursor={start + self.hub.page}>; rel="next"'
        self.answer(entries[start : start + self.hub.page], headers=headers)

    def paths(self, kind: str, name: str, revision: str):
        repository = self._repository(kind, name)
        files = repository.commits[self._commit_of(repository, revision)]
        asked = parse_qs(self.body.decode()).get("paths", [])
        self.answer([files[path].entry(path) for path in asked if path in files])

    # Uploads

    def preupload(self, kind: str, name: str, revision: str):
        repository = self._repository(kind, name, write=True)
        files = repository.commits[self._commit_of(repository, revision)]
        told = []
        for one in json.loads(self.body)["files"]:
            large = one["size"] > 10 * 2**20 or is_large(base64.b64decode(one["sample"]))
            there = files.get(one["path"])
            entry = {"path": one["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
            told.append(entry | ({"oid": there.etag} if there is not None else {}))
        self.answer({"files": told})

    def batch(self, name: str, kind: str = ""):
        self._repository(kind, name, write=True)
        objects = [self._upload_of(one, name) for one in json.loads(self.body)["objects"]]
        self.answer({"transfer": "basic", "objects": objects})

    def _upload_of(self, one: dict, name: str) -> dict:
        answer = {"oid": one["oid"], "size": one["size"]}
        if one["oid"] in self.hub.store.large:
            return answer
        at, header = f"{self.hub.far_address}/lfs/{one['oid']}", {}
        upload = {"href": f"{at}?signed=1"}
        if self.hub.part_size is not None and one["size"] > self.hub.part_size:
            count = -(-one["size"] // self.hub.part_size)
            header = {f"{part:05d}": f"{at}?part={part}" for part in range(1, count + 1)}
            upload = {"href": f"{self.hub.address}/lfs/{one['oid']}/complete"}
            header["chunk_size"] = str(self.hub.part_size)
        verify = {"href": f"{self.hub.address}/lfs/{one['oid']}/verify"}
        return answer | {"authenticated": True, "actions": {"upload": upload | {"header": header}, "verify": verify}}

    def upload(self, oid: str):
        if "part" in self.query:
            self.hub.store.parts.setdefault(oid, {})[int(self.query["part"])] = self.body
        else:
            self._keep(oid, self.body)
        self.send(200, b"", {"ETag": f'"{oid[:8]}{self.query.get("part", "")}"'})

    def complete(self, oid: str):
        parts = self.hub.store.parts.pop(oid, {})
        self._keep(oid, b"".join(parts[number] for number in sorted(parts)))
        self.answer({})

    def _keep(self, oid: str, data: bytes):
        if Blob(data, True).sha256 != oid:
            raise RefusedError(400, "", "The uploaded file does not have the hash that was told")
        self.hub.store.large[oid] = data

    def verify(self, oid: str):
        size = json.loads(self.body)["size"]
        if len(self.hub.store.large.get(oid, b"")) != size:
            raise RefusedError(404, "", "The uploaded file is not there")
        self.answer({})

    def commit(self, kind: str, name: str, revision: str):
        repository = self._repository(kind, name, write=True)
        if revision not in repository.refs:
            raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        lines = [json.loads(line) for line in self.body.splitlines() if line.strip()]
        header, changes = lines[0]["value"], {}
        if header.get("parentCommit") not in (None, repository.refs[revision]):
            raise RefusedError(412, "", "A commit has happened since. Please refresh and try again.")
        for line in lines[1:]:
            changes |= self._change(repository.commits[repository.refs[revision]], line["key"], line["value"])
        sha = repository.commit(changes, header["summary"], revision)
        prefix = "datasets/" if repository.kind == "dataset" else ""
        self.answer({"success": True, "commitOid": sha, "commitUrl": f"{self.hub.address}/{prefix}{name}/commit/{sha}"})

    def _change(self, files: dict[str, Blob], key: str, value: dict) -> dict[str, Blob | None]:
        if key == "file":
            return {value["path"]: Blob(base64.b64decode(value["content"]), False)}
        if key == "lfsFile":
            if value["oid"] not in self.hub.store.large:
                raise RefusedError(
                    400, "", f"Your push was rejected because an LFS pointer pointed to nothing: {value['path']}"
                )
            return {value["path"]: Blob(self.hub.store.large[value["oid"]], True)}
        if key == "deletedFile":
            if value["path"] not in files:
                raise RefusedError(404, "EntryNotFound", "A file with this name doesn't exist")
            return {value["path"]: None}
        return {path: None for path in files if path.startswith(value["path"].rstrip("/") + "/")}

    # Downloads

    def resolve(self, name: str, revision: str, path: str, kind: str = ""):
        repository = self._repository(kind, name)
        sha = self._commit_of(repository, revision)
        found = repository.commits[sha].get(path)
        if repository.gated and self._user() is None:
            raise RefusedError(401, "GatedRepo", "Access to this repository is restricted. Please log in.")
        if repository.gated and (self._user() or ("",))[0] != name.split("/")[0]:
            raise RefusedError(403, "GatedRepo", "Access to this repository is restricted and you are not in the list.")
        if found is None:
            raise RefusedError(404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        if not found.large:
            return self.file(found.data, headers | {"ETag": f'"{found.etag}"'})
        headers |= {"X-Linked-Etag": f'"{found.sha256}"', "X-Linked-Size": str(len(found.data))}
        signed = f"{self.hub.far_address}/far/{repository.kind}/{name}/{sha}/{quote(path)}?signature=1"
        return self.send(302, b"", headers | {"Location": signed})

    def far(self, kind: str, name: str, revision: str, path: str):
        if self.headers.get("authorization"):
            raise RefusedError(400, "", "Only one auth mechanism allowed")
        found = self.hub.store.repositories[kind, name].commits[revision][path]
        self.file(found.data, {"ETag": f'"{found.etag}"', "Accept-Ranges": "bytes"})


def _one_level(listed: dict[str, dict], base: str) -> dict[str, dict]:
    level: dict[str, dict] = {}
    for path, entry in listed.items():
        first, below, _ = path[len(base) :].partition("/")
        folder = {"type": "directory", "path": base + first, "size": 0, "oid": "0" * 40}
        level.setdefault(base + first, folder if below else entry)
    return level


_Handler.routes = (
    ("GET", r"/api/whoami-v2", "whoami"),
    ("POST", r"/api/repos/create", "create"),
    ("POST", r"/api/validate-yaml", "validate"),
    ("GET", _KIND, "info"),
    ("GET", _KIND + r"/revision/(?P<revision>[^/]+)", "info"),
    ("GET", _KIND + r"/refs", "refs"),
    ("POST", _KIND + r"/branch/(?P<revision>[^/]+)", "branch"),
    ("GET", _KIND + r"/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?", "tree"),
    ("POST", _KIND + r"/paths-info/(?P<revision>[^/]+)", "paths"),
    ("POST", _KIND + r"/preupload/(?P<revision>[^/]+)", "preupload"),
    ("POST", _KIND + r"/commit/(?P<revision>[^/]+)", "commit"),
    ("POST", r"/(?P<kind>datasets/)?" + _NAME + r"\.git/info/lfs/objects/batch", "batch"),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", "upload"),
    ("POST", r"/lfs/(?P<oid>[0-9a-f]{64})/complete", "complete"),
    ("POST", r"/lfs/(?P<oid>[0-9a-f]{64})/verify", "verify"),
    ("GET HEAD", _RESOLVE + r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "resolve"),
    ("GET", r"/far/(?P<kind>model|dataset)/" + _NAME + r"/(?P<revision>[0-9a-f]{40})/(?P<path>.+)", "far"),
)
