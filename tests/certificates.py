"""Certificates and content credentials of the tests' own making."""

import io
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from c2pa import Builder, C2paSignerInfo, C2paSigningAlg, Signer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
EMPTY = "http://c2pa.org/digitalsourcetype/empty"


class Certificates(NamedTuple):
    """A signer's certificate with its root, the root alone, and the signer's key, all PEM."""

    chain: bytes
    root: bytes
    key: bytes


def certificates(until: datetime | None = None, signer: str = "Test Signer") -> Certificates:
    """Certificates as C2PA asks for them; `until` is when they expire, by default in ten days."""
    start, end = datetime.now(UTC) - timedelta(days=10), until or datetime.now(UTC) + timedelta(days=10)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def name(text: str) -> x509.Name:
        return x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, text), x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)]
        )

    def usage(*, signs: bool) -> x509.KeyUsage:
        return x509.KeyUsage(signs, False, False, False, False, not signs, not signs, False, False)

    def begun(subject: str, public: ec.EllipticCurvePublicKey, number: int) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("Test Root"))
            .public_key(public)
            .serial_number(number)
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(number == 1, None), critical=True)
            .add_extension(usage(signs=number != 1), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    root = begun("Test Root", root_key.public_key(), 1).sign(root_key, hashes.SHA256())
    leaf = (
        begun(signer, key.public_key(), 2)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = [one.public_bytes(serialization.Encoding.PEM) for one in (leaf, root)]
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certificates(b"".join(pem), pem[1], private)


def action(name: str, source_type: str = "", **more: object) -> dict[str, object]:
    """One action of a credential; `source_type` is the last part of its digital source type."""
    uri = source_type if source_type.startswith("http") else SOURCE_TYPE + source_type
    return {"action": name, **({"digitalSourceType": uri} if source_type else {}), **more}


def signed(
    data: bytes,
    by: Certificates,
    actions: list[dict[str, object]],
    mime: str = "image/jpeg",
    parent: bytes | None = None,
    component: bytes | None = None,
    remote: str = "",
) -> bytes:
    """A picture with a content credential; with `remote`, only the address of one."""
    statements = [{"label": "c2pa.actions", "data": {"actions": actions}}]
    builder = Builder({"claim_generator_info": [{"name": "Test Camera", "version": "1"}], "assertions": statements})
    for role, ingredient in (("parentOf", parent), ("componentOf", component)):
        if ingredient is not None:
            described = {"title": role, "relationship": role, "instance_id": f"xmp:iid:{role}"}
            builder.add_ingredient(described, mime, io.BytesIO(ingredient))
    if remote:
        builder.set_no_embed()
        builder.set_remote_url(remote)
    signer = Signer.from_info(C2paSignerInfo(C2paSigningAlg.ES256, by.chain, by.key, None))
    out = io.BytesIO()
    builder.sign(signer, mime, io.BytesIO(data), out)
    return out.getvalue()
