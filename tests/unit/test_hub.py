"""Detectors to and from a stand-in for the Hugging Face Hub: what is sent and taken, and what happens in between."""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from dfcore.cli import main
from dfcore.detectors.bundle import CARD, MODEL, read_card, write_card
from dfcore.detectors.card import Training
from dfcore.detectors.library import list_bundles
from dfcore.detectors.origin import Adopted
from dfcore.errors import AccessError, BundleError, DfcoreError, InputError, StorageError
from dfcore.exchange import import_export
from dfcore.exchange.import_export import MOST_FILES
from dfcore.hub import hugging_face as hugging_face_client
from dfcore.hub import pinned, pull, push
from dfcore.hub.addresses import Address, parse
from dfcore.utils.files import sha256_bytes
from tests.conftest import make_card
from tests.standins import hugging_face
from tests.standins.hugging_face import READ_ONLY, TOKEN, WRONG

pytest.importorskip("huggingface_hub")
AT = Address("tester", "faces")
TABLE = "predictions_test.parquet"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    from huggingface_hub import constants

    for name in ("HF_HUB_OFFLINE", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with hugging_face.running() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield running
    # Nothing is asked that nobody asked for, and tokens go to the Hub alone.
    assert not [one.path for one in running.requests if "telemetry" in one.path or "harness" in one.path]
    assert not [one for one in running.requests if one.token and not one.host.startswith("127.0.0.1")]


@pytest.fixture
def unchecked(monkeypatch):
    """Bundles of these tests hold no network; what is loaded in isolation is tested with those that do."""
    monkeypatch.setattr(import_export, "_check_isolated", lambda folder: None)


@pytest.fixture
def bundle(tmp_path) -> Path:
    return made(tmp_path / "bundle")


def made(folder: Path, **changes) -> Path:
    folder.mkdir()
    network = bytes(range(256)) * 4000
    (folder / MODEL).write_bytes(network)
    (folder / TABLE).write_bytes(b"\0table" * 1000)
    (folder / "openvino.xml").write_bytes(b"<net/>")
    values = {"model_sha256": sha256_bytes(network), "title": "Faces", "licence": "mit"}
    write_card(folder, make_card(**(values | changes)))
    return folder


def pushed(bundle: Path, address: Address = AT, **options) -> push.Pushed:
    return push.push(push.prepare(bundle, address, **options))


def stopped(after: int):
    """What a step reports to: ends the work as a kill would, once so many kilobytes are done."""

    def step(_):
        def report(done, _total):
            if done > after:
                raise KeyboardInterrupt

        return report

    return step


def files(hub, name: str = "tester/faces", branch: str = "main") -> dict[str, bytes]:
    repository = hub.store.repositories["model", name]
    return {path: one.data for path, one in repository.commits[repository.refs[branch]].items()}


# === Addresses ===


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf:ada/faces", Address("ada", "faces")),
        (" hf:ada/faces@refs/pr/1 ", Address("ada", "faces", "refs/pr/1")),
        ("https://huggingface.co/ada/faces/tree/main?x=1", Address("ada", "faces")),
        ("ada/faces", Address("ada", "faces")),
        ("ada/faces@v2", Address("ada", "faces", "v2")),
        ("hf:\N{WORD JOINER}ada/faces\N{ZERO WIDTH SPACE}", Address("ada", "faces")),
        ("https://huggingface.co/ada/faces/tree/v2", Address("ada", "faces", "v2")),
        ("huggingface.co/ada/faces/blob/refs%2Fpr%2F1/card.json#L3", Address("ada", "faces", "refs/pr/1")),
        ("https://hf.co/ada/faces/resolve/refs/pr/1/card.json", Address("ada", "faces", "refs/pr/1")),
        (f"https://huggingface.co/ada/faces/commit/{'a' * 40}", Address("ada", "faces", "a" * 40)),
    ],
)
def test_addresses_are_those_of_a_repository_or_its_page(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "faces", "hf:faces", "hf:ada/../faces", "kaggle:ada/faces", "https://huggingface.co/datasets/ada/x", "",
        "https://huggingface.co/ada/faces/discussions/3", "https://huggingface.co/ada/faces/tree",
        "https://huggingface.co/spaces/ada/faces", "datasets/faces", "https://huggingface.co/ada/faces/tree/main/sub",
        "https://huggingface.co/ada/faces/tree/feature/x", "https://huggingface.co/ada/faces/blob/feature/x/card.json",
    ],
)  # fmt: skip
def test_other_addresses_are_refused_with_the_form_that_is_right(text):
    with pytest.raises(InputError, match=r"Expected .*Received"):
        parse(text)


def test_the_address_of_a_page_of_a_mirror_is_one_too(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.test:8080")
    assert parse("http://mirror.test:8080/ada/faces/tree/v2") == Address("ada", "faces", "v2")


def test_without_a_mirror_the_hub_is_itself(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "")
    assert parse("ada/faces") == Address("ada", "faces") and parse("hf:ada/faces@v2") == Address("ada", "faces", "v2")
    assert Address("ada", "faces").page == "https://huggingface.co/ada/faces"


# === Push ===


def test_a_detector_goes_out_private_and_whole_with_its_card_for_the_hub(hub, bundle):
    from huggingface_hub import ModelCard

    done = pushed(bundle, message="First")
    there = files(hub)
    assert hub.store.repositories["model", "tester/faces"].private and done.private
    # The graph for OpenVINO is never taken from elsewhere, so it is not sent either.
    assert set(there) == {".gitattributes", "README.md", CARD, MODEL, TABLE}
    assert all(there[name] == (bundle / name).read_bytes() for name in (CARD, MODEL, TABLE))
    data = ModelCard(there["README.md"].decode()).data
    assert (data.license, data.library_name, data.pipeline_tag) == ("mit", "keras", "image-classification")
    assert done.digest in there["README.md"].decode()
    assert hub.store.repositories["model", "tester/faces"].messages[done.address.revision] == "First"


def test_what_was_made_elsewhere_is_not_said_to_be_trained_on_what_calibrated_it(hub, bundle):
    from huggingface_hub import ModelCard

    elsewhere = Adopted(
        file="theirs.h5", sha256="0" * 64, end="sigmoid", range="0..1", classes="fake,real", colours="RGB"
    )
    training = Training(dataset="photographs of mine")
    write_card(bundle, read_card(bundle).model_copy(update={"adopted": elsewhere, "training": training}))
    pushed(bundle)
    text = files(hub)["README.md"].decode()
    assert not ModelCard(text).data.datasets
    assert "What it was trained on is unknown" in text and "Calibrated on: photographs of mine" in text


def test_the_same_again_sends_nothing_and_what_changed_alone_is_sent(hub, bundle):
    first = pushed(bundle)
    assert pushed(bundle).sent == () and pushed(bundle).address == first.address
    (bundle / TABLE).write_bytes(b"\0other" * 100)
    again = pushed(bundle)
    assert set(again.sent) == {TABLE, "README.md"} and again.address != first.address
    hub.store.repositories["model", "tester/faces"].commit({"notes.txt": "mine"})
    last = pushed(bundle, predictions=False)
    assert last.removed == (TABLE,) and TABLE not in files(hub)
    assert files(hub)["notes.txt"] == b"mine", "what somebody else put there stays"


def test_another_branch_is_made_and_main_stays_as_it_was(hub, bundle):
    pushed(bundle)
    before = files(hub)
    write_card(bundle, read_card(bundle).model_copy(update={"title": "Other"}))
    pushed(bundle, AT.at("trial"))
    assert files(hub) == before
    assert b"Other" in files(hub, branch="trial")["README.md"]
    assert b"dfcore pull hf:tester/faces@trial --digest" in files(hub, branch="trial")["README.md"]
    assert b"dfcore pull hf:tester/faces --digest" in before["README.md"]


def test_an_interrupted_push_shows_nothing_and_goes_on_with_what_arrived(hub, bundle):
    plan = push.prepare(bundle, AT)
    with pytest.raises(KeyboardInterrupt):
        push.push(plan, step=stopped(after=(plan.files[CARD] + plan.files[MODEL]) // 1000))
    assert set(files(hub)) == {".gitattributes"}, "nothing is seen before the commit"
    push.push(plan)
    assert files(hub)[MODEL] == (bundle / MODEL).read_bytes()
    arrived = [one.body for one in hub.asked("PUT", "/lfs/") if one.status == 200]
    assert arrived == [plan.files[MODEL], plan.files[TABLE]], "each large file went once"


def test_a_connection_that_is_cut_while_sending_is_tried_again(hub, bundle):
    hub.cut("/lfs/", after=1000)
    pushed(bundle)
    assert files(hub)[MODEL] == (bundle / MODEL).read_bytes()


def test_large_files_go_in_parts_where_the_hub_wants_that(hub, bundle):
    hub.part_size = 300_000
    seen = []
    push.push(push.prepare(bundle, AT), step=lambda _: lambda done, total: seen.append((done, total)))
    assert files(hub)[MODEL] == (bundle / MODEL).read_bytes()
    sizes = [done for done, total in seen if total > 0]
    assert sizes[-1] == max(sizes) and len(set(sizes)) > 3, "it tells how far it is"


def test_what_somebody_changed_meanwhile_is_not_written_over(hub, bundle):
    plan = push.prepare(bundle, AT)

    def step(title):
        if title == "Committing":
            hub.store.repositories["model", "tester/faces"].commit({"README.md": "theirs"})
        return lambda done, total: None

    with pytest.raises(DfcoreError, match="changed by somebody else"):
        push.push(plan, step=step)
    assert files(hub)["README.md"] == b"theirs"


def test_a_public_repository_takes_nothing_that_was_not_meant_to_be_public(hub, bundle):
    hub.store.add("model", "tester/faces")
    with pytest.raises(AccessError, match=r"is public.*--public"):
        pushed(bundle)
    assert set(files(hub)) == {".gitattributes"}
    assert not pushed(bundle, public=True).private


def test_public_without_a_licence_is_refused_and_none_is_invented(hub, tmp_path):
    silent = made(tmp_path / "silent", licence="")
    with pytest.raises(InputError, match=r"states no licence.*--license"):
        push.prepare(silent, AT, public=True)
    assert "license" not in push.prepare(silent, AT).readme.split("---")[1]
    with pytest.raises(InputError, match="Received: 'my-own'"):
        push.prepare(silent, AT, licence="my-own")
    assert "license: apache-2.0" in push.prepare(silent, AT, public=True, licence="Apache-2.0").readme
    worded = push.prepare(made(tmp_path / "worded", licence="For research only."), AT, public=True)
    assert "license: other" in worded.readme and "For research only." in worded.readme


def test_a_licence_that_is_stated_is_neither_lost_nor_changed_unless_somebody_says_so(hub, bundle, tmp_path):
    silent = made(tmp_path / "silent", licence="")
    pushed(silent, licence="apache-2.0")
    for given in (silent, bundle):
        with pytest.raises(InputError, match=r"states the licence apache-2.0 now.*--license apache-2.0 keeps it"):
            pushed(given)
    assert b"license: apache-2.0" in files(hub)["README.md"]
    pushed(silent, licence="apache-2.0")
    pushed(bundle, licence="mit")
    assert b"license: mit" in files(hub)["README.md"]
    pushed(bundle)


def test_scores_that_were_left_out_once_go_along_only_if_somebody_says_so(hub, bundle, capsys):
    pushed(bundle, predictions=False)
    with pytest.raises(InputError, match=f"would add {TABLE}.*--without-predictions or --with-predictions"):
        pushed(bundle)
    assert TABLE not in files(hub)
    assert main(["push", str(bundle), "hf:tester/faces", "--without-predictions"]) == 0
    assert main(["push", str(bundle), "hf:tester/faces", "--with-predictions"]) == 0
    assert TABLE in files(hub)
    pushed(bundle)


def test_a_dry_run_asks_nobody_and_shows_what_would_go(hub, bundle, capsys):
    assert main(["push", str(bundle), "hf:tester/faces", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert hub.requests == []
    assert "private" in shown and "paths in the data set" in shown and "Nothing was sent." in shown
    assert main(["push", str(bundle), "hf:tester/faces", "--dry-run", "--json", "--without-predictions"]) == 0
    assert set(json.loads(capsys.readouterr().out)["files"]) == {CARD, MODEL}


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "needs a token.*HF_TOKEN"),
        (WRONG, "refuses the credentials.*HF_TOKEN"),
        (READ_ONLY, "does not let .* write tester/faces.*HF_TOKEN"),
    ],
)
def test_credentials_that_do_not_suffice_are_told_with_the_way_to_others_and_never_quoted(
    hub, bundle, capsys, monkeypatch, tmp_path, token, message
):
    monkeypatch.setenv("HF_TOKEN", token)
    assert main(["push", str(bundle), "hf:tester/faces"]) == 2
    told = capsys.readouterr()
    assert len(told.err.splitlines()) == 1
    with pytest.raises(AccessError, match=message):
        pushed(bundle)
    assert not token or token not in told.err + told.out
    written = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert written == []


def test_somebody_elses_name_is_refused(hub, bundle):
    with pytest.raises(AccessError, match="does not let the account of the variable HF_TOKEN write other/faces"):
        pushed(bundle, Address("other", "faces"))
    with pytest.raises(AccessError, match=r"other is not this account\. .*\(tester\), as in hf:tester/faces"):
        pushed(bundle, Address("other", "faces"))


def test_a_damaged_bundle_and_a_commit_as_branch_are_refused_before_anything_is_asked(hub, bundle):
    with pytest.raises(InputError, match="Expected a branch"):
        push.prepare(bundle, AT.at("0" * 40))
    (bundle / MODEL).write_bytes(b"other")
    with pytest.raises(BundleError, match="not the model that its card was written for"):
        push.prepare(bundle, AT)
    assert hub.requests == []


def test_a_hub_that_is_down_or_forbidden_is_told_in_one_line(hub, bundle, monkeypatch, capsys):
    hub.fail("/api/", 503, times=9)
    assert main(["push", str(bundle), "hf:tester/faces"]) == 1
    assert "fails at the moment (503)" in capsys.readouterr().err
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert main(["push", str(bundle), "hf:tester/faces"]) == 1
    assert "could not be reached at http://127.0.0.1:9" in capsys.readouterr().err
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["pull", "hf:tester/faces"]) == 2
    assert "HF_HUB_OFFLINE" in capsys.readouterr().err


# === Pull ===


@pytest.fixture
def models(tmp_path) -> Path:
    return tmp_path / "models"


def pulled(models: Path, address: Address = AT, name: str = "taken", **options) -> Path:
    return pull.pull(pull.look(address), models, name, **options)


def left(models: Path) -> list[str]:
    """What lies in the folder of detectors, its lock aside."""
    return sorted(path.name for path in models.iterdir() if path.name != ".lock") if models.is_dir() else []


def test_what_was_pushed_comes_back_with_a_record_of_where_it_came_from(hub, bundle, models, unchecked):
    done = pushed(bundle)
    place = pulled(models, digest=done.digest.upper())
    assert all((place / name).read_bytes() == (bundle / name).read_bytes() for name in (CARD, MODEL, TABLE))
    record = pinned.read(place)
    assert record.digest == done.digest
    assert (record.source, record.commit) == ("hf:tester/faces", done.address.revision)
    assert set(record.files) == {CARD, MODEL, TABLE} and pinned.changed(place, record) == []
    assert left(models) == ["taken"] and list_bundles(models) == [place]
    assert not hub.asked("GET", "README.md"), "what is no part of a bundle is not loaded"


def test_what_is_there_already_is_not_loaded_again_unless_it_changed(hub, bundle, models, unchecked):
    pushed(bundle)
    place = pulled(models)
    loaded = len(hub.asked("GET", "/resolve/"))
    assert pulled(models) == place and len(hub.asked("GET", "/resolve/")) == loaded
    (place / TABLE).write_bytes(b"other")
    with pytest.raises(BundleError, match=f"changed since: {TABLE}"):
        pulled(models)
    (bundle / TABLE).write_bytes(b"\0new")
    pushed(bundle)
    with pytest.raises(BundleError, match="already a detector named 'taken'"):
        pulled(models)


def test_a_commit_stays_what_it_was_and_one_that_is_gone_is_told(hub, bundle, models, unchecked):
    first = pushed(bundle).address
    before = (bundle / CARD).read_bytes()
    write_card(bundle, read_card(bundle).model_copy(update={"title": "Second"}))
    pushed(bundle)
    assert (pulled(models, first) / CARD).read_bytes() == before
    assert read_card(pulled(models, name="now")).title == "Second"
    hub.store.repositories["model", "tester/faces"].forget(first.revision)
    with pytest.raises(InputError, match=f"has no revision '{first.revision}'"):
        pull.look(first)
    with pytest.raises(InputError, match="has no revision 'never'"):
        pull.look(AT.at("never"))


def test_a_pull_that_was_killed_goes_on_within_the_file(hub, bundle, models, unchecked):
    pushed(bundle)
    with pytest.raises(KeyboardInterrupt):
        pulled(models, step=stopped(after=500))
    kept = next(models.glob(".pull-*/model.keras")).stat().st_size
    assert 0 < kept < (bundle / MODEL).stat().st_size and list_bundles(models) == []
    place = pulled(models)
    assert (place / MODEL).read_bytes() == (bundle / MODEL).read_bytes() and left(models) == ["taken"]
    # Of both pulls: the request that is interrupted may be noted late.
    asked = hub.asked("GET", "/far/")
    assert sorted(one.range for one in asked if "keras" in one.path) == ["", f"bytes={kept}-"]
    assert [one.range for one in asked if "keras" not in one.path] == [""], "the table was there"


def test_a_connection_that_is_cut_is_taken_up_where_it_ended(hub, bundle, models, unchecked):
    pushed(bundle)
    hub.cut("/model.keras?", after=1000, times=2)
    assert (pulled(models) / MODEL).read_bytes() == (bundle / MODEL).read_bytes()
    ranges = [one.range for one in hub.asked("GET", "/far/") if "keras" in one.path]
    assert ranges == ["", "bytes=1000-", "bytes=2000-"]


def test_a_server_that_gives_up_is_told_and_what_arrived_is_kept(hub, bundle, models, unchecked, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    pushed(bundle)
    hub.cut("/model.keras?", after=0, times=20)
    with pytest.raises(DfcoreError, match=r"could not be reached.*so far is kept"):
        pulled(models)
    hub.faults.clear()
    pulled(models)


def test_a_file_that_changed_after_it_was_pinned_is_refused(hub, bundle, models, unchecked):
    pushed(bundle)
    repository = hub.store.repositories["model", "tester/faces"]
    honest = dict(repository.commits[repository.refs["main"]])
    for name in (MODEL, CARD):
        repository.swap(name, bytes(len(honest[name].data)))
        with pytest.raises(BundleError, match=f"{name} of hf:tester/faces is not the file that commit"):
            pulled(models / name)
        assert list_bundles(models / name) == []
        repository.commits[repository.refs["main"]].update(honest)
        assert (pulled(models / name) / name).read_bytes() == (bundle / name).read_bytes()


def test_hashes_that_change_while_a_pull_pauses_are_refused(hub, bundle, models, unchecked):
    pushed(bundle)
    with suppress(KeyboardInterrupt):
        pulled(models, step=stopped(after=500))
    repository = hub.store.repositories["model", "tester/faces"]
    files_of = repository.commits[repository.refs["main"]]
    files_of[TABLE] = type(files_of[TABLE])(b"\0other", True)
    with pytest.raises(BundleError, match=rf"has changed since this pull began \({TABLE}\)"):
        pulled(models)
    assert left(models) == []


def test_another_detector_than_was_meant_is_refused_by_its_digest(hub, bundle, models, unchecked):
    pushed(bundle)
    with pytest.raises(BundleError, match=r"Expected the digest 1234\. Received: [0-9a-f]{64}\.$"):
        pulled(models, digest="1234")
    assert left(models) == []


def test_a_licence_that_was_stated_comes_along_and_goes_out_again(hub, models, unchecked, tmp_path):
    pushed(made(tmp_path / "silent", licence=""), licence="apache-2.0")
    place = pulled(models)
    assert pinned.read(place).licence == "apache-2.0"
    again = push.prepare(place, Address("tester", "again"))
    assert again.licence == "apache-2.0" and "license: apache-2.0" in again.readme
    assert push.prepare(place, Address("tester", "again"), licence="mit").licence == "mit"
    pushed(made(tmp_path / "worded", licence="For research only."), Address("tester", "worded"))
    worded = push.prepare(pulled(models, Address("tester", "worded"), "worded"), AT)
    assert worded.licence == "other" and "license_name: as-stated" in worded.readme


def test_a_data_set_is_told_from_a_detector(hub):
    hub.store.add("dataset", "owner/streets", {"real/0.png": b"x"})
    with pytest.raises(InputError, match=r"of a model\. Received that of a data set.*data fetch hf:owner/streets"):
        pull.look(Address("owner", "streets"))


def test_a_full_disk_is_told_before_and_keeps_what_was_loaded_in_between(hub, bundle, models, unchecked, monkeypatch):
    pushed(bundle)
    offer = pull.look(AT)
    usage = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=10**6))
    with pytest.raises(
        StorageError, match=r"hf:tester/faces needs .* MB and 200 MB to spare; 1 MB are free in .*DFCORE_MODELS"
    ):
        pull.pull(offer, models, "taken")
    assert not hub.asked("GET", "/resolve/")
    monkeypatch.setattr(shutil, "disk_usage", usage)
    if not Path("/dev/full").exists():
        return
    aside = next(models.glob(f".pull-*-{offer.commit}"))
    (aside / MODEL).symlink_to("/dev/full")  # Every write to it fails as on a full disk.
    with pytest.raises(StorageError, match=r"The disk became full.*goes on with it"):
        pull.pull(offer, models, "taken")
    assert (aside / TABLE).is_file() and list_bundles(models) == []
    (aside / MODEL).unlink()
    assert pull.pull(offer, models, "taken").is_dir()


def test_only_names_and_sizes_of_a_bundle_are_loaded(hub, bundle, models, unchecked, monkeypatch):
    content = {path.name: path.read_bytes() for path in bundle.iterdir()}
    evil = {
        "../evil": b"x",
        "sub/model.keras": b"x",
        "model.pkl": b"x",
        "pulled.json": b"{}",
        "predictions_../x.parquet": b"x",
    }
    hub.store.add("model", "other/odd", content | evil)
    at = Address("other", "odd")
    offer = pull.look(at)
    assert set(offer.files) == {CARD, MODEL, TABLE} and {"../evil", "pulled.json", "openvino.xml"} <= set(offer.others)
    pulled(models, at)
    loaded = {one.path.rpartition("/")[2].split("?")[0] for one in hub.asked("GET", "/resolve/")}
    assert loaded == {CARD, MODEL, TABLE}
    hub.store.add("model", "other/large", content | {CARD: bytes(5 * 2**20)})
    with pytest.raises(InputError, match=r"card.json of hf:other/large has 5.24 MB and was refused"):
        pull.look(Address("other", "large"))
    many = {f"predictions_{'x' * (number + 1)}.parquet": b"x" for number in range(MOST_FILES)}
    hub.store.add("model", "other/many", content | many)
    with pytest.raises(InputError, match=f"at most {MOST_FILES} files"):
        pull.look(Address("other", "many"))
    hub.store.add("model", "other/plain", {"saved_model.pb": b"x"})
    with pytest.raises(InputError, match=r"no detector of this workbench.*saved_model.pb.*dfcore adopt"):
        pull.look(Address("other", "plain"))


def test_what_the_gate_refuses_leaves_nothing_behind(hub, bundle, models, monkeypatch):
    pushed(bundle)

    def refuse(_):
        raise BundleError("The bundle was refused: it holds a Lambda.")

    monkeypatch.setattr(import_export, "_check_isolated", refuse)
    with pytest.raises(BundleError, match="holds a Lambda"):
        pulled(models)
    assert left(models) == []


def test_who_may_not_read_is_told_why(hub, bundle, monkeypatch, models):
    pushed(bundle)
    hub.store.add("model", "other/gated", {path.name: path.read_bytes() for path in bundle.iterdir()}, gated=True)
    with pytest.raises(AccessError, match=r"gated.*the variable HF_TOKEN.*ask for access"):
        pulled(models, Address("other", "gated"))
    with pytest.raises(InputError, match="no other/none, or it is not shown to the account of the variable HF_TOKEN"):
        pull.look(Address("other", "none"))
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match=r"or it is private and needs a token.*HF_TOKEN"):
        pull.look(AT)
    monkeypatch.setenv("HF_TOKEN", WRONG)
    with pytest.raises(AccessError, match="refuses the credentials from the variable HF_TOKEN"):
        pull.look(AT)


def test_what_is_gated_is_not_taken_for_something_of_the_other_kind(hub):
    hub.store.add("model", "other/both", {CARD: b"{}"}, gated=True)
    hub.store.add("dataset", "other/both", {"real/0.png": b"x"})
    at, api = Address("other", "both"), hugging_face_client.client()
    with (
        pytest.raises(AccessError, match="other/both is gated"),
        hugging_face_client.explained(at),
        hugging_face_client.told_from(api, at, "dataset"),
    ):
        api.hf_hub_download(at.repository, CARD)


def test_two_pulls_of_the_same_do_not_meet(hub, bundle, models, unchecked):
    pushed(bundle)

    def step(title):
        if title.startswith("Loading"):
            with pytest.raises(DfcoreError, match="Another process is pulling"):
                pulled(models)
        return lambda done, total: None

    pulled(models, step=step)
    assert left(models) == ["taken"]


def test_files_that_nobody_went_on_with_are_removed_in_time(hub, bundle, models, unchecked):
    pushed(bundle)
    old, new = models / ".pull-a--b-1", models / ".pull-a--b-2"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    pulled(models)
    assert not old.exists() and new.exists()


def test_the_commands_tell_what_they_did(hub, bundle, capsys, monkeypatch, tmp_path, unchecked):
    assert main(["push", str(bundle), "hf:tester/faces", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["private"] and told["address"].startswith("hf:tester/faces@")
    assert main(["push", str(bundle), "hf:tester/faces"]) == 0
    shown = capsys.readouterr().out
    assert "private, all of it was there already" in shown
    assert main(["pull", "hf:tester/faces", "--dry-run"]) == 0
    assert "3 files, 1.03 MB, licence: mit. Not loaded: .gitattributes, README.md" in capsys.readouterr().out
    # The line that push printed is the command that pulls it.
    assert main([*shown.splitlines()[-1].split()[1:], "--name", "here"]) == 0
    assert "checked and ready. dfcore predict here IMAGE" in capsys.readouterr().out
    assert (tmp_path / "models" / "here" / pinned.PULLED).is_file()
    assert main(["pull", "hf:tester/faces", "--name", "here", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == told["digest"]


# === The model card ===

HOSTILE = (
    'x" <script>alert(1)</script> | a | b\n---\n# Head\n![i](http://e.vil/i.png) [l](javascript:x) `c` www.e.vil @you'
)


def test_strangers_words_are_text_and_nothing_else(bundle):
    from huggingface_hub import ModelCard
    from markdown_it import MarkdownIt

    results = {HOSTILE: {"images": 2, "real": 1, "fake": 1, "threshold": 0.5, "roc_auc": 0.75}}
    card = read_card(bundle)
    training = card.training.model_copy(
        update={"dataset": HOSTILE, "layout": HOSTILE, "notes": [HOSTILE, f"1. {HOSTILE}"]}
    )
    changes = {"title": HOSTILE, "description": f"- {HOSTILE}", "limits": [HOSTILE], "licence": HOSTILE,
               "training": training, "results": results,
               "measured": [{"data set": HOSTILE, "roc_auc": 0.5}]}  # fmt: skip
    write_card(bundle, card.model_copy(update=changes))
    readme = push.prepare(bundle, AT).readme
    parsed = ModelCard(readme)
    assert parsed.data.license == "other" and "alert" not in str(parsed.data.datasets).replace("script-alert", "")
    tokens = MarkdownIt("commonmark").enable("table").parse(parsed.text)
    inline = [child.type for token in tokens for child in token.children or ()]
    assert not {"html_inline", "link_open", "image"} & set(inline)
    assert "html_block" not in [token.type for token in tokens]
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert len(headings) == 8 and "Head" not in headings
    cells = [row for row in parsed.text.splitlines() if row.startswith("| ") and "alert" in row]
    assert cells and not any(" | a | b" in row for row in cells)
    assert "://" not in parsed.text.replace("https://huggingface.co", "")


def test_every_figure_names_its_images(bundle):
    from huggingface_hub import ModelCard

    figures = {
        "images": 30,
        "real": 10,
        "fake": 20,
        "threshold": 0.5,
        "roc_auc": 0.91234,
        "accuracy": 0.8,
        "recall": None,
    }
    card = read_card(bundle)
    training = card.training.model_copy(update={"dataset": "faces of July"})
    results = {"test": figures, "empty": {"images": 0, "real": 0, "fake": 0}}
    changes = {
        "results": results,
        "training": training,
        "measured": [{"data set": "cifake", "roc_auc": 0.5, "real": 5}],
    }
    write_card(bundle, card.model_copy(update=changes))
    readme = push.prepare(bundle, AT).readme
    told = [
        (one.dataset_name, one.dataset_split, one.dataset_args, one.metric_type, one.metric_value)
        for one in ModelCard(readme).data.eval_results
    ]
    counts = {"images": 30, "real": 10, "fake": 20}
    assert told == [
        ("faces of July, test", "test", counts, "roc_auc", 0.9123),
        ("faces of July, test", "test", counts, "accuracy", 0.8),
        ("cifake", None, {"real": 5}, "roc_auc", 0.5),
    ]
    assert "no right to call an image likely real" in readme
    assert "faces-of-July" in readme.split("---")[1]
