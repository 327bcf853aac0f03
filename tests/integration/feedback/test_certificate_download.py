"""The certificate as SNS serves it: over TLS from its own host name, here on this machine."""

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import AddressFamily

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from email_consumer.sns.certificate_download import CertificateDownload
from email_consumer.sns.certificates import Certificates, DownloadError
from email_consumer.sns.envelope import parse
from email_consumer.sns.verifier import Verifier
from tests.unit.feedback.pocket import Pocket
from tests.unit.feedback.sns_key import CERTIFICATE_URL, TOPIC, SnsKey, body

HOST = "sns.eu-west-1.amazonaws.com"
KEY = SnsKey()


class Resolver(AbstractResolver):
    """SNS's host is our server; no other name exists, so nothing leaves this machine."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        assert (host, port) == (HOST, 443)
        return [ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


class Host:
    """Serves one answer at every path, and notes what was asked for."""

    def __init__(self, directory: Path) -> None:
        self.asked: list[str] = []
        self.port = 0
        self._certificate = _host_certificate(directory)

    @asynccontextmanager
    async def serve(self, answer: web.Response) -> AsyncIterator[aiohttp.BaseConnector]:
        """Leads to it and trusts it."""

        async def handle(request: web.BaseRequest) -> web.Response:
            self.asked.append(request.path)
            return answer

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._certificate)
        runner = web.ServerRunner(web.Server(handle))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        self.port = runner.addresses[0][1]
        trusting = ssl.create_default_context(cafile=str(self._certificate))
        async with aiohttp.TCPConnector(resolver=Resolver(self.port), ssl=trusting) as connector:
            yield connector
        await runner.cleanup()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return Host(tmp_path)


async def test_a_message_is_verified_with_the_certificate_of_its_host(host: Host) -> None:
    async with host.serve(web.Response(body=KEY.pem)) as connector:
        verifier = Verifier([TOPIC], Certificates(CertificateDownload(connector), Pocket()))
        await verifier.verify(parse(body(KEY.notification(version="2"))))
    assert host.asked == [CERTIFICATE_URL.removeprefix(f"https://{HOST}")]


async def test_a_redirect_is_not_followed(host: Host) -> None:
    elsewhere = {"Location": "https://evil.example/SimpleNotificationService-aa.pem"}
    async with host.serve(web.Response(status=302, headers=elsewhere)) as connector:
        with pytest.raises(DownloadError, match="302"):
            await CertificateDownload(connector)(CERTIFICATE_URL)
    assert len(host.asked) == 1


async def test_a_large_file_is_not_read_to_its_end(host: Host) -> None:
    async with host.serve(web.Response(body=b"x" * 10_000_000)) as connector:
        with pytest.raises(DownloadError, match="more than 65536 bytes"):
            await CertificateDownload(connector)(CERTIFICATE_URL)


@pytest.mark.parametrize("status", [204, 403, 404, 500])
async def test_any_other_status_is_a_failure(host: Host, status: int) -> None:
    async with host.serve(web.Response(status=status)) as connector:
        with pytest.raises(DownloadError, match=str(status)):
            await CertificateDownload(connector)(CERTIFICATE_URL)


async def test_a_host_that_can_not_prove_its_name_is_not_believed(host: Host) -> None:
    async with (
        host.serve(web.Response(body=KEY.pem)),
        aiohttp.TCPConnector(resolver=Resolver(host.port)) as doubting,
    ):
        with pytest.raises(DownloadError, match="certificate verify failed"):
            await CertificateDownload(doubting)(CERTIFICATE_URL)
    assert host.asked == []


def _host_certificate(directory: Path) -> Path:
    """Key and self-signed certificate of SNS's host name, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = directory / "host.pem"
    path.write_bytes(private + certificate.public_bytes(encoding))
    return path
