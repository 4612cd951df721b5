"""Batches: each file is judged once in a process of its own, whatever happens to it; rows are found in a moment."""

import io
import time
import zipfile
from pathlib import Path

import pytest

from dfcore.batch.job import Batch
from dfcore.batch.sources import FromPath, Upload
from dfcore.batch.store import BatchStore
from dfcore.errors import ImageError
from dfcore.runs import State
from dfcore.utils.files import sha256_bytes
from tests.conftest import make_image

SMALL = Path(__file__).parents[2] / "models" / "small"
PATIENCE = 120


@pytest.fixture(autouse=True)
def _shipped(_own_workspace, monkeypatch):
    monkeypatch.setenv("DFCORE_MODELS", str(SMALL.parent))


@pytest.fixture
def pictures(tmp_path) -> Path:
    for number in range(30):
        make_image(tmp_path / "pictures" / f"{number}.png", seed=number)
    (tmp_path / "pictures" / "text.jpg").write_text("no picture")
    return tmp_path / "pictures"


@pytest.fixture
def store() -> BatchStore:
    return BatchStore()


def at_rest(batch: Batch, *, until=lambda status: not status.state.active):
    end = time.monotonic() + PATIENCE
    while not until(status := batch.status()):
        assert time.monotonic() < end, f"{status}\n{batch.log_tail()}"
        time.sleep(0.05)
    return status


def packed(folder: Path, *more: tuple[str, bytes]) -> io.BytesIO:
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for path in sorted(folder.iterdir())[:5]:
            archive.write(path, f"in/{path.name}")
        for name, data in more:
            archive.writestr(name, data)
    result.seek(0)
    return result


def test_a_batch_judges_folders_uploads_and_archives_in_a_process_of_its_own(store, pictures, tmp_path):
    alone = (pictures / "3.png").read_bytes()
    sources = [FromPath(pictures), Upload("alone.png", io.BytesIO(alone)), Upload("many.zip", packed(pictures))]
    batch = store.start(sources, ["small"], by="somebody")
    status = at_rest(batch)
    assert (status.state, status.done, status.total, status.failed) == (State.COMPLETED, 37, 37, 1), batch.log_tail()
    page = batch.rows(limit=100)
    assert page.total == len(page.rows) == 37
    for row in page.rows:
        if row["error"]:
            assert row["name"] == "text.jpg" and batch.thumbnail(row) is None
            continue
        assert sha256_bytes(batch.bytes_of(row)) == row["sha256"]
        assert batch.thumbnail(row).startswith(b"\xff\xd8")
    assert batch.row(31)["sha256"] == sha256_bytes(alone)
    assert [row["path"] for row in page.rows[31:33]] == ["alone.png", "many.zip!/in/0.png"]
    assert (batch.title, batch.by) == ("pictures and 2 more", "somebody")
    assert [one.id for one in store] == [batch.id]
    store.close(batch.id)
    with pytest.raises(ImageError, match="deleted when the batch was closed"):
        batch.bytes_of(page.rows[31])
    assert batch.bytes_of(page.rows[0]), "what was never copied is still there"
    assert batch.thumbnail(page.rows[0]) is None
    assert batch.rows().total == 37
    store.delete(batch.id)
    assert not list(store)
