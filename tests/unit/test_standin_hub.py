"""The stand-in for the Hub does what `huggingface_hub` asks of it, so that tests against it mean something."""

import pytest

from tests.standins import hugging_face

huggingface_hub = pytest.importorskip("huggingface_hub")
constants = pytest.importorskip("huggingface_hub.constants")
errors = pytest.importorskip("huggingface_hub.errors")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with hugging_face.running() as running:
        yield running


def api(hub, token=hugging_face.TOKEN):
    return huggingface_hub.HfApi(endpoint=hub.address, token=token)


@pytest.mark.parametrize("parts", [None, 1000])
def test_a_folder_goes_up_and_comes_down_as_it_was(hub, tmp_path, parts):
    hub.part_size = parts
    content = {"README.md": b"---\nlicense: mit\n---\nText", "weights.bin": bytes(range(256)) * 20, "empty": b""}
    for name, data in content.items():
        (tmp_path / "out" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_bytes(data)
    api(hub).create_repo("tester/thing", private=True)
    told = api(hub).upload_folder(repo_id="tester/thing", folder_path=tmp_path / "out")
    info = api(hub).model_info("tester/thing", files_metadata=True)
    assert (info.sha, info.private) == (told.oid, True)
    back = huggingface_hub.snapshot_download(
        "tester/thing", endpoint=hub.address, token=hugging_face.TOKEN, local_dir=tmp_path / "back", revision=told.oid
    )
    assert {name: (tmp_path / "back" / name).read_bytes() for name in content} == content, back
    far = [one for one in hub.requests if one.host.startswith("localhost")]
    assert far and not any(one.token for one in far), "the far store was sent the token"


def test_a_download_that_was_cut_goes_on_where_it_ended(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # What the client received of a chunk it forgets.
    data = bytes(range(256)) * 100
    hub.store.add("dataset", "owner/set", {"data.bin": data})
    hub.page = 1
    hub.cut("data.bin", after=10_000)
    huggingface_hub.snapshot_download(
        "owner/set", repo_type="dataset", endpoint=hub.address, local_dir=tmp_path / "back", token=False
    )
    assert (tmp_path / "back" / "data.bin").read_bytes() == data
    assert any(one.range == "bytes=10000-" and one.status == 206 for one in hub.requests)


def test_each_refusal_is_the_error_that_the_client_knows(hub):
    hub.store.add("model", "tester/mine", private=True)
    hub.store.add("dataset", "other/gated", {"a.txt": "a"}, gated=True)
    with pytest.raises(errors.RepositoryNotFoundError):
        api(hub, token=False).model_info("tester/mine")
    with pytest.raises(errors.HfHubHTTPError, match="401"):
        api(hub, token=hugging_face.WRONG).model_info("tester/mine")
    with pytest.raises(errors.RevisionNotFoundError):
        api(hub).model_info("tester/mine", revision="gone")
    with pytest.raises(errors.GatedRepoError):
        api(hub).hf_hub_download("other/gated", "a.txt", repo_type="dataset")
    with pytest.raises(errors.RemoteEntryNotFoundError):
        api(hub).hf_hub_download("tester/mine", "missing")
    with pytest.raises(errors.HfHubHTTPError, match="403"):
        api(hub, token=hugging_face.READ_ONLY).create_repo("tester/new")
    assert api(hub).whoami()["name"] == "tester"
