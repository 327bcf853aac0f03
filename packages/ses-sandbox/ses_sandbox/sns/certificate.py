"""The key that signs SNS messages and its self-signed certificate, created at the first start."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509.oid import NameOID

CERTIFICATE_FILE = "sns-certificate.pem"
_KEY_FILE = "sns-key.pem"
_KEY_BITS = 2048
_LIFETIME = timedelta(days=3650)


def load_or_create(directory: Path) -> tuple[RSAPrivateKey, x509.Certificate]:
    """The key pair kept in `directory`; the certificate, in PEM, is for receivers to trust."""
    key_file, certificate_file = directory / _KEY_FILE, directory / CERTIFICATE_FILE
    if not certificate_file.exists():  # written last: where it is, the key is
        key = generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        _replace(
            key_file,
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
        _replace(certificate_file, _self_signed(key).public_bytes(serialization.Encoding.PEM))
    # The check takes as long as everything else, and the key is ours.
    loaded = serialization.load_pem_private_key(
        key_file.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True
    )
    if not isinstance(loaded, RSAPrivateKey):
        raise TypeError(f"{key_file} does not hold an RSA key")
    return loaded, x509.load_pem_x509_certificate(certificate_file.read_bytes())


def _self_signed(key: RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com (local sandbox)")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .sign(key, hashes.SHA256())
    )


def _replace(path: Path, content: bytes) -> None:
    # By renaming, so that a kill leaves no half-written file.
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_bytes(content)
    partial.replace(path)
