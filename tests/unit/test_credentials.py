"""Content credentials: their states, what follows from them, and what never does."""

import io
import itertools
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from dfcore.errors import InputError
from dfcore.provenance import TRUST_LIST, Evidence, read_evidence
from tests.certificates import EMPTY, Certificates, action, certificates, signed

AI, PARTLY, CAMERA = "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "digitalCapture"
MIMES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "AVIF": "image/avif", "TIFF": "image/tiff"}


def picture(kind: str = "JPEG", **options) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def own() -> Certificates:
    return certificates()


@pytest.fixture
def trust(own, tmp_path):
    path = tmp_path / "trust.pem"
    path.write_bytes(own.root)
    return path


@pytest.mark.parametrize("kind", MIMES)
def test_a_credential_is_trusted_only_with_its_signers_root(kind, own, trust):
    data = signed(picture(kind), own, [action("c2pa.created", AI)], MIMES[kind])
    unknown, trusted = read_evidence(data), read_evidence(data, trust)
    assert (unknown.credentials.state, trusted.credentials.state) == ("unknown_signer", "trusted")
    for evidence in (unknown, trusted):
        told = evidence.credentials
        assert (told.signer, told.generator) == ("Test Signer", "Test Camera 1")
        assert [(step.name, step.source_type) for step in told.actions] == [("c2pa.created", AI)]
        assert (evidence.declares_generated, evidence.extent) == (True, "generated")
        assert "Test Signer" in evidence.summary
    other = trust.with_name("other.pem")
    other.write_bytes(certificates().root)
    assert read_evidence(data, other).credentials.state == "unknown_signer"


def test_a_credential_in_a_heic_is_read(own, trust):
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 64))).save(buffer)
    data = signed(buffer.getvalue(), own, [action("c2pa.created", CAMERA)], "image/heic")
    assert read_evidence(data, trust).declares_generated is False


def test_the_trust_list_of_the_environment_is_used(own, trust, monkeypatch):
    data = signed(picture(), own, [action("c2pa.created", CAMERA)])
    monkeypatch.setenv(TRUST_LIST, str(trust))
    assert read_evidence(data).credentials.state == "trusted"


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=str)
def test_a_trust_list_that_is_none_is_told(content, tmp_path):
    path = tmp_path / "list.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"list\.pem"):
        read_evidence(picture(), path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_changed_picture_makes_its_credential_prove_nothing(kind, own, trust):
    data = bytearray(signed(picture(kind), own, [action("c2pa.created", AI)], MIMES[kind]))
    data[-100] ^= 0x55
    evidence = read_evidence(bytes(data), trust)
    assert evidence.credentials.state == "invalid"
    assert "changed after it was signed" in evidence.credentials.reason
    assert evidence.declares_generated is None
    assert not [source for source in evidence.sources if source.declares]
    assert "proves nothing" in evidence.summary


def test_what_is_left_of_a_spoiled_credential_never_counts(own, trust):
    """Any byte of it may be wrong: then it is invalid, or as good as none, and declares nothing that it did not."""
    data = signed(picture(), own, [action("c2pa.created", CAMERA)])
    start, end = data.index(b"jumb"), data.index(b"\xff\xdb")
    states = set()
    for place in np.random.default_rng(1).integers(start, end, 40).tolist():
        broken = bytearray(data)
        broken[place] ^= 0xFF
        evidence = read_evidence(bytes(broken), trust)
        states.add(evidence.credentials.state)
        # The thumbnail and the padding are signed too, so no change passes.
        assert evidence.declares_generated is None, place
    assert states <= {"invalid", "none"}


def test_an_expired_certificate_is_told(trust):
    """Without a time stamp nobody knows when it was signed, so it counts as signed now."""
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    short = certificates(until)
    data = signed(picture(), short, [action("c2pa.created", AI)])
    trust.write_bytes(short.root)
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()) + 1)
    evidence = read_evidence(data, trust)
    assert evidence.credentials.state == "invalid"
    assert "certificate" in evidence.credentials.reason
    assert evidence.declares_generated is None


def test_only_a_trusted_capture_without_generative_edits_is_said_to_be_none(own, trust):
    def read(actions, list_=trust, **more) -> Evidence:
        return read_evidence(signed(picture(), own, actions, **more), list_)

    made = action("c2pa.created", CAMERA)
    assert read([made]).declares_generated is False
    assert read([made, action("c2pa.cropped")]).declares_generated is False
    assert read([made], None).declares_generated is None, "nobody vouches for the signer"
    assert read([made, action("c2pa.edited")]).declares_generated is None, "nobody knows how"
    assert read([action("c2pa.created", EMPTY)]).declares_generated is None
    edited = read([made, action("c2pa.edited", PARTLY)])
    assert (edited.declares_generated, edited.extent) == (True, "partly")
    inpainted = read([made, action("c2pa.edited", AI)])
    assert (inpainted.declares_generated, inpainted.extent) == (True, "partly")


def test_an_earlier_version_and_a_part_made_by_ai_are_declared(own):
    made = signed(picture(), own, [action("c2pa.created", AI)])
    opened = action("c2pa.opened", parameters={"ingredientIds": ["xmp:iid:parentOf"]})
    later = read_evidence(signed(picture(), own, [opened], parent=made))
    assert (later.declares_generated, later.extent) == (True, "generated")
    assert [(one.relationship, one.declares) for one in later.credentials.ingredients] == [("parentOf", "generated")]
    placed = [
        action("c2pa.created", CAMERA),
        action("c2pa.placed", parameters={"ingredientIds": ["xmp:iid:componentOf"]}),
    ]
    part = read_evidence(signed(picture(), own, placed, component=made))
    assert (part.declares_generated, part.extent) == (True, "partly")


def test_an_earlier_version_whose_credential_is_invalid_declares_nothing(own):
    made = bytearray(signed(picture(), own, [action("c2pa.created", AI)]))
    made[-100] ^= 0x55
    opened = action("c2pa.opened", parameters={"ingredientIds": ["xmp:iid:parentOf"]})
    evidence = read_evidence(signed(picture(), own, [opened], parent=bytes(made)))
    assert evidence.declares_generated is None


def test_a_credential_that_is_kept_elsewhere_is_told_and_not_fetched(own):
    data = signed(picture(), own, [action("c2pa.created", EMPTY)], remote="http://127.0.0.1:9/credential.c2pa")
    evidence = read_evidence(data)
    assert evidence.credentials.state == "none"
    assert "not fetched" in evidence.summary
    assert "http://127.0.0.1:9/credential.c2pa" in evidence.credentials.reason


def test_a_trusted_capture_does_not_hide_a_declaration_elsewhere_in_the_file(own, trust):
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{AI}"/></rdf:RDF></x:xmpmeta>'
    )
    data = signed(picture(xmp=packet.encode()), own, [action("c2pa.created", CAMERA)])
    evidence = read_evidence(data, trust)
    assert evidence.declares_generated is True
    assert "One of the two is wrong" in evidence.remarks[0].meaning


def test_each_state_has_a_line_of_its_own(own, trust):
    made = {
        (source, state): read_evidence(signed(picture(), own, [action("c2pa.created", source)]), list_).summary
        for (source, (state, list_)) in itertools.product((AI, CAMERA), (("trusted", trust), ("unknown", None)))
    }
    assert len(set(made.values())) == 4
