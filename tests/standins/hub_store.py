"""What the stand-in for the Hugging Face Hub keeps: repositories with commits, files and branches, and users."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import yaml

CREATED = "2026-01-01T00:00:00.000Z"


class Blob(NamedTuple):
    """One file at one commit; `large` files are kept apart (LFS), as the Hub does with whatever is no text."""

    data: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        """Git's hash of the file, for a large one that of its pointer."""
        data = self.pointer if self.large else self.data
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    @property
    def pointer(self) -> bytes:
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.data)}\n".encode()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.oid

    def entry(self, path: str) -> dict:
        """How the tree of a repository lists the file."""
        listed = {"type": "file", "path": path, "size": len(self.data), "oid": self.oid}
        if self.large:
            listed["lfs"] = {"oid": self.sha256, "size": len(self.data), "pointerSize": len(self.pointer)}
        return listed


def is_large(data: bytes) -> bool:
    """Whether the Hub keeps such a file apart: above 10 MB, or no text."""
    return len(data) > 10 * 2**20 or b"\0" in data[:8192]


def as_blob(content: bytes | str | Path) -> Blob:
    data = content.encode() if isinstance(content, str) else content if isinstance(content, bytes) else _read(content)
    return Blob(data, is_large(data))


def _read(path: Path) -> bytes:
    return path.read_bytes()


@dataclass
class Repository:
    """A model or data set with its history."""

    kind: str
    name: str
    private: bool = False
    gated: bool = False
    card: dict = field(default_factory=dict)
    commits: dict[str, dict[str, Blob]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(
        self, changes: Mapping[str, bytes | str | Path | Blob | None], message: str = "Update", branch: str = "main"
    ) -> str:
        """Adds a commit to a branch; None deletes a file. Returns the commit's hash."""
        parent = self.refs.get(branch, "")
        files = dict(self.commits.get(parent, {}))
        for path, content in changes.items():
            if content is None:
                files.pop(path, None)
            else:
                files[path] = content if isinstance(content, Blob) else as_blob(content)
        told = f"{parent}{message}{len(self.commits)}" + "".join(f"{path}{files[path].oid}" for path in sorted(files))
        sha = hashlib.sha1(told.encode(), usedforsecurity=False).hexdigest()
        self.commits[sha], self.messages[sha], self.refs[branch] = files, message, sha
        return sha

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, tag or (shortened) hash names."""
        if revision in self.refs:
            return self.refs[revision]
        found = [sha for sha in self.commits if len(revision) >= 5 and sha.startswith(revision)]
        return found[0] if len(found) == 1 else None

    def forget(self, revision: str) -> None:
        """Removes a commit and what points at it, as a rewritten history does."""
        sha = self.resolve(revision)
        self.commits.pop(sha or "", None)
        self.refs = {name: at for name, at in self.refs.items() if at != sha}

    def swap(self, path: str, content: bytes, revision: str = "main") -> None:
        """Serves other bytes under the same commit and the same hashes, as a broken or dishonest mirror would."""
        files = self.commits[self.resolve(revision) or ""]
        files[path] = _Swapped(content, files[path])

    def info(self, sha: str) -> dict:
        files = self.commits[sha]
        return {
            "_id": "0", "id": self.name, "author": self.name.split("/")[0], "sha": sha, "private": self.private,
            "gated": "manual" if self.gated else False, "disabled": False, "downloads": 0, "likes": 0, "tags": [],
            "lastModified": CREATED, "createdAt": CREATED, "cardData": metadata(files) or self.card,
            "siblings": [
                {"rfilename": path, "size": len(one.data), "blobId": one.oid}
                | ({"lfs": {"sha256": one.sha256, "size": len(one.data), "pointerSize": 134}} if one.large else {})
                for path, one in sorted(files.items())
            ],
        }  # fmt: skip


def metadata(files: Mapping[str, Blob]) -> dict:
    """What a repository's README.md says of it before its text."""
    found = re.match(rb"---\n(.*?)\n---\n", files["README.md"].data, re.DOTALL) if "README.md" in files else None
    return yaml.safe_load(found[1]) if found else {}


class _Swapped:
    """A file whose bytes are not those that its hashes tell."""

    def __init__(self, data: bytes, told: Blob):
        self.data, self.large, self._told = data, told.large, told

    def __getattr__(self, name):
        return getattr(self._told, name)


@dataclass
class Store:
    """All repositories, uploaded large files and users."""

    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    users: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(
        self,
        kind: str,
        name: str,
        files: Mapping[str, bytes | str | Path] | None = None,
        *,
        private: bool = False,
        gated: bool = False,
        card: dict | None = None,
    ) -> Repository:
        """Puts a repository there, by kind ("model" or "dataset") and name "owner/name", with a first commit."""
        one = Repository(kind, name, private, gated, card or {})
        one.commit({".gitattributes": "*.bin filter=lfs\n"} | dict(files or {}), "initial commit")
        self.repositories[kind, name] = one
        return one
