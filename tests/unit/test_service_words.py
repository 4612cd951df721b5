"""What the service says of a refused request: what was received, what would be right; and what its document says."""

import re
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from dfcore.service import callers
from dfcore.service.problems import Problem
from dfcore.service.settings import Provider, Settings
from dfcore.service.state import Service
from tests.unit.serving import StandIn, bench, picture, served
from tests.unit.test_service import files, serving

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def client():
    with serving(StandIn(), file_bytes=2**20, body_bytes=2**22, files=2) as (client, _):
        yield client


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        (
            "predict", {"detektor": "small"},
            "Expected the parameters detector, ignore_ood, max_fpr, max_fnr, provenance, name. Received: 'detektor'.",
        ),
        ("predict", {"max_fnr": "abc"}, "Expected for max_fnr a number from 0 to 0.5. Received: 'abc'."),
        ("predict", {"max_fpr": "0.7"}, "Expected for max_fpr a number from 0 to 0.5. Received: '0.7'."),
        ("predict", {"ignore_ood": "perhaps"}, "Expected for ignore_ood true or false. Received: 'perhaps'."),
        ("predict", {"detector": "x" * 300}, "Expected for detector a text of at most 255 characters. Received: 'xxx"),
        ("explain", {"side": "4"}, "Expected for side a whole number from 8 to 512. Received: '4'."),
        ("explain", {"evidence": "truth"}, "Expected for evidence one of fake, real. Received: 'truth'."),
        (
            "explain", {"layer": "foo"},
            "Expected one of the layers that /v1/detectors lists for stand-in, such as last. Received: 'foo'.",
        ),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_told_with_what_would_be_right(client, path, query, message):
    answer = client.post(f"/v1/{path}", params=query, files=files(picture()))
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith(message)


def test_several_wrong_parameters_are_told_together(client):
    answer = client.post("/v1/predict", params={"max_fnr": "abc", "max_fpr": "2"}, files=files(picture()))
    told = answer.json()["error"]["message"]
    assert "for max_fnr a number" in told and "for max_fpr a number" in told


def test_a_file_that_is_too_large_is_named_with_what_came(client):
    large = [("files", ("holiday.jpg", bytes(3 * 2**19)))]
    told = client.post("/v1/predict", files=[*files(b"1"), *large]).json()["error"]["message"]
    assert told == (
        "Expected a file of at most 1 MB. Received: holiday.jpg, which is larger (the request has 1.5 MB)."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "sent", "message"),
    [
        ("explain", 2, "Expected one file in a request. Received: at least 2."),
        ("predict", 4, "Expected at most 2 files in a request. Received: at least 3."),
    ],
)
def test_too_many_files_are_counted(client, path, sent, message):
    answer = client.post(f"/v1/{path}", files=files(*[b"1"] * sent))
    assert (answer.status_code, answer.json()["error"]["message"]) == (413, message)


def test_an_address_or_method_that_there_is_not_is_told_with_those_that_there_are(client):
    assert client.get("/v1/nothing").json()["error"]["message"] == (
        "Expected one of the addresses that /docs describes. Received: /v1/nothing."
    )
    assert client.get("/v1/predict").json()["error"]["message"] == "Expected POST for /v1/predict. Received: GET."


def test_a_message_is_cut_between_words_and_says_so():
    told = Problem(422, "query", "word " * 1000).message
    assert told.endswith("word …") and len(told) <= 800
    assert Problem(422, "query", "A sentence.").message == "A sentence."


def test_a_key_where_there_are_tokens_alone_is_told_as_such(tmp_path):
    provider = Provider("https://sign.in", "dfcore", str(tmp_path / "keys.json"))
    door = callers.Door(Settings(provider=provider), tokens=SimpleNamespace())
    request = SimpleNamespace(headers={"x-api-key": "dfs_of-another-service"})
    with pytest.raises(Problem, match=r"^Expected a token of your provider\. Received: a key, and this service knows"):
        door.caller(request)


def test_what_is_no_picture_is_given_no_detector_of_several():
    """The fault: a text had the detector, the thresholds and the hashes that came first."""
    service = Service(Settings(), bench(one=StandIn(), two=StandIn()))
    with served(service) as address, httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
        sent = files(b"text", picture())
        text, judged = client.post("/v1/predict", files=sent).json()["results"]
        chosen = client.post("/v1/predict", params={"detector": "two"}, files=sent).json()["results"]
        assert 'detector="none",finding="error"' in client.get("/metrics").text
    of_detector = ("detector", "title", "model_sha256", "card_sha256", "threshold", "thresholds")
    assert [text[name] for name in of_detector] == [None] * 6 and text["error"]
    assert judged["detector"] in ("one", "two") and None not in [judged[name] for name in of_detector]
    assert [row["detector"] for row in chosen] == ["two", "two"]


# === docs/service.md ===


def test_every_code_of_a_refusal_is_explained():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "dfcore" / "service").glob("*.py"))
    codes = set(re.findall(r"Problem\(\s*\d{3},\s*\"(\w+)\"", source)) | {"not_found", "method", "input"}
    assert {"busy", "key", "unexpected", "machine", "slow"} <= codes
    table = DOCUMENT.partition("## When something is wrong")[2].partition("## Who may ask")[0]
    assert not [code for code in codes if f"`{code}`" not in table]


def test_only_explain_has_more_than_one_form_of_answer(client):
    wants = {"Accept": "image/png"}
    answer = client.post("/v1/predict", files=files(picture()), headers=wants)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert client.post("/v1/explain", files=files(picture()), headers=wants).headers["Content-Type"] == "image/png"
    assert "by `explain` alone" in DOCUMENT


def test_what_keeps_a_finding_from_being_the_answer_is_described(client):
    row = client.get("/openapi.json").json()["components"]["schemas"]["Row"]["properties"]
    for name in ("aside", "trained_on_words"):
        assert "learned from this" in row[name]["description"] and f"`{name}`" in DOCUMENT
