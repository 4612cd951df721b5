"""Weights that ship: the file that the code expects, or a refusal that says what is there instead."""

import os

import numpy as np
import pytest

from dfcore.errors import BundleError
from dfcore.faces import networks
from dfcore.parts import part_file, read_part, require_part
from dfcore.synthesis import taef2
from dfcore.towers import clip
from dfcore.utils.files import sha256_file

PARTS = {
    "tower": (clip.FILE, clip.SHA256),
    "faces": (networks.FILE, networks._SHA256),
    "taef2": (taef2.FILE, taef2._SHA256),
}
READERS = {"faces": networks.read_weights, "taef2": taef2.read_weights}


@pytest.mark.parametrize("name", PARTS)
def test_what_ships_is_what_the_code_expects(name):
    file, sha256 = PARTS[name]
    require_part(part_file(file), sha256, name)


@pytest.mark.parametrize("name", READERS)
def test_another_a_missing_and_an_unreadable_file_are_refused(name, tmp_path):
    data = bytearray(part_file(PARTS[name][0]).read_bytes())
    data[5000] ^= 1
    altered = tmp_path / "altered.npz"
    altered.write_bytes(data)
    with pytest.raises(BundleError, match=r"altered.npz are not those that ship. Expected SHA-256 .* Received: "):
        READERS[name](altered)
    with pytest.raises(BundleError, match=r"are missing. Expected .*none.npz"):
        READERS[name](tmp_path / "none.npz")
    with pytest.raises(BundleError, match="cannot be read"):
        READERS[name](tmp_path)


def test_a_hash_is_remembered_until_the_file_changes(tmp_path):
    path = tmp_path / "part.npz"
    np.savez(path, a=np.arange(3))
    old = path.stat().st_mtime - 100
    os.utime(path, (old, old))
    sha256 = sha256_file(path)
    require_part(path, sha256, "it")
    np.savez(path, a=np.arange(4))
    os.utime(path, (old + 1, old + 1))
    for check in (require_part, read_part):
        with pytest.raises(BundleError, match="not those that ship"):
            check(path, sha256, "it")
