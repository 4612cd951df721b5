"""The line and the tab of a file's own evidence, by Streamlit's AppTest."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import file_evidence, recent
from dfcore.errors import ImageError, TransientImageError
from dfcore.provenance import TRUST_LIST
from tests.certificates import action, certificates, signed
from tests.unit.test_credentials import AI, CAMERA, picture
from tests.unit.test_provenance import A1111, drawn, encoded, exif, png, shrunk, source_type, with_thumbnail, xmp

_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~$:&])")


def page() -> None:
    import streamlit as st

    from dashboard import file_view

    data, name = st.session_state["data"], st.session_state["name"]
    file_view.show_line(data, name)
    if st.session_state["whole"]:
        file_view.show_file(data, name)


def shown(data: bytes, name: str = "picture.jpg", *, whole: bool = True) -> AppTest:
    app = AppTest.from_function(page, default_timeout=60)
    app.session_state["data"], app.session_state["name"], app.session_state["whole"] = data, name, whole
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def text(app: AppTest) -> str:
    """What is written on the page, without escapes."""
    parts = [*app.markdown, *app.caption, *app.subheader, *app.error, *app.code]
    return _ESCAPED.sub(r"\1", "\n".join(str(part.value) for part in parts)).replace("\N{WORD JOINER}", "")


@pytest.fixture(scope="module")
def own():
    return certificates()


@pytest.fixture
def trusted(own, tmp_path, monkeypatch):
    path = tmp_path / "trust.pem"
    path.write_bytes(own.root)
    monkeypatch.setenv(TRUST_LIST, str(path))


def lines(own) -> dict[str, tuple[bytes, str]]:
    tampered = bytearray(signed(picture(), own, [action("c2pa.created", AI)]))
    tampered[-100] ^= 0x55
    return {
        "prompt": (png({"parameters": A1111}), "declares itself AI-generated"),
        "partly": (encoded("JPEG", xmp=xmp(source_type("compositeSynthetic"))), "partly AI-generated"),
        "invalid": (bytes(tampered), "proves nothing"),
        "nothing": (picture(), "says nothing of how it was made"),
    }


@pytest.mark.parametrize("name", ["prompt", "partly", "invalid", "nothing"])
def test_the_line_says_what_the_file_says(name, own):
    data, words = lines(own)[name]
    app = shown(data, whole=False)
    assert len(app.markdown) == 1
    assert words in text(app)
    assert not re.search(r":(blue|orange)\[", app.markdown[0].value), "they mean real and fake"


def test_the_line_of_a_trusted_credential(own, trusted):
    app = shown(signed(picture(), own, [action("c2pa.created", CAMERA)]), whole=False)
    assert "says that a camera captured the picture (signed by Test Signer)" in text(app)


def test_the_tab_shows_credential_steps_and_why_nobody_vouches(own):
    app = shown(signed(picture(), own, [action("c2pa.created", AI), action("c2pa.cropped")]))
    assert "no trust list" in text(app)
    told = [frame.value for frame in app.dataframe]
    assert any("created: made by generative AI" in str(table) for table in told)
    assert any("cropped" in str(table) for table in told)


def test_the_trust_list_may_change_while_the_server_runs(own, tmp_path, monkeypatch):
    data = signed(picture(), own, [action("c2pa.created", CAMERA)])
    assert "nobody vouches" in text(shown(data))
    path = tmp_path / "later.pem"
    path.write_bytes(own.root)
    monkeypatch.setenv(TRUST_LIST, str(path))
    assert "no trust list" not in text(shown(data))


def test_prompt_place_coding_and_metadata_are_shown_and_searched():
    gps = {1: "N", 2: (52.0, 30.0, 0.0), 3: "W", 4: (13.0, 15.0, 0.0)}
    comment = b"ASCII\0\0\0" + A1111.encode()
    app = shown(encoded("JPEG", exif=exif({0x0131: "Snapseed"}, {0x9286: comment}, gps), quality=80))
    said = text(app)
    assert "52.50000° N, 13.25000° W" in said
    assert "libjpeg's standard tables, quality 80" in said
    assert "Nothing is sent by itself" in said
    tables = [frame.value for frame in app.dataframe]
    assert {"Group", "Name", "Text"} <= set(tables[-1].columns)
    app.text_input[0].set_value("SNAPSEED").run()
    assert app.dataframe[-1].value["Name"].tolist() == ["Software"]
    app.text_input[0].set_value("nowhere").run()
    assert "No entry contains this." in text(app)


def test_a_thumbnail_that_differs_is_shown_beside_the_picture():
    one, other = drawn(640, 480), drawn(640, 480, 1)
    same, differs = (shown(with_thumbnail(one, shrunk(thumb, 160, 120))) for thumb in (one, other))
    assert len(differs.get("image")) == 2
    assert not same.get("image")
    assert "shows something else" in text(differs)


@pytest.mark.parametrize("name", ["**bold** [x](http://example.org).png", ":red[x] <b>"])
def test_what_strangers_wrote_is_no_markdown(name):
    app = shown(png({name: A1111, "Software": f"Midjourney {name}"}), name)
    assert f"PNG text '{name}' holds a prompt" in text(app)
    for part in (*app.markdown, *app.caption):
        assert name not in part.value
    assert "could not be read" in text(shown(b"no image", name, whole=False))


def test_failures_are_told_and_kept_but_for_those_of_the_machine(monkeypatch):
    asked = []

    def fail(data):
        asked.append(data)
        raise ImageError("It is broken.") if len(data) < 10 else TransientImageError("The machine is busy.")

    now = [0.0]
    monkeypatch.setattr(file_evidence, "read_evidence", fail)
    monkeypatch.setattr(recent.time, "monotonic", lambda: now[0])
    for data, times in ((b"short", 1), (b"much longer data", 2)):
        asked.clear()
        for _ in range(2):
            with pytest.raises(ImageError):
                file_evidence.evidence(data)
            now[0] += 61
        assert len(asked) == times
    assert "It is broken." in text(shown(b"short"))
