"""How certificates are kept."""

import asyncio

import pytest

from email_consumer.sns.certificates import Certificates, DownloadError, usable_key
from email_consumer.sns.errors import MessageRefusedError
from tests.unit.feedback.pocket import Pocket
from tests.unit.feedback.sns_key import CERTIFICATE_URL, SnsKey

KEY = SnsKey()


class Downloads:
    """Answers in turn with what it was given, and counts."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self._answers = list(answers)
        self.asked_for: list[str] = []
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @property
    def count(self) -> int:
        return len(self.asked_for)

    async def __call__(self, url: str) -> bytes:
        self.asked_for.append(url)
        self.asked.set()
        await self.may_answer.wait()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def invented(number: int) -> str:
    return CERTIFICATE_URL.replace("9c6465fa", f"{number:08x}")


async def test_a_certificate_is_fetched_once_whatever_else_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = Downloads(KEY.pem, *[DownloadError("404")] * 500)
    certificates = Certificates(downloads, Pocket())
    await certificates.public_key(CERTIFICATE_URL)
    monkeypatch.setattr("email_consumer.sns.certificates._TIMEOUT", 0.01)
    for number in range(500):
        with pytest.raises(MessageRefusedError):
            await certificates.public_key(invented(number))
        await certificates.public_key(CERTIFICATE_URL)
    assert downloads.asked_for.count(CERTIFICATE_URL) == 1


async def test_a_certificate_outlives_the_process() -> None:
    pocket = Pocket()
    await Certificates(Downloads(KEY.pem), pocket).public_key(CERTIFICATE_URL)
    nobody = Downloads()
    certificates = Certificates(nobody, pocket)
    await certificates.load()
    await certificates.public_key(CERTIFICATE_URL)
    assert nobody.count == 0


async def test_a_failure_is_remembered_for_a_while_and_passes() -> None:
    downloads = Downloads(DownloadError("no route"), KEY.pem)
    certificates = Certificates(downloads, Pocket())
    for _ in range(2):
        with pytest.raises(MessageRefusedError, match="no route") as caught:
            await certificates.public_key(CERTIFICATE_URL)
        assert (caught.value.temporary, caught.value.status) == (True, 429)
    assert downloads.count == 1
    forgetful = Certificates(Downloads(DownloadError("no route"), KEY.pem), Pocket(), failure_ttl=0)
    with pytest.raises(MessageRefusedError):
        await forgetful.public_key(CERTIFICATE_URL)
    await forgetful.public_key(CERTIFICATE_URL)


async def test_all_who_need_one_share_one_download() -> None:
    downloads = Downloads(KEY.pem)
    downloads.may_answer.clear()
    certificates = Certificates(downloads, Pocket())
    first = asyncio.create_task(certificates.public_key(CERTIFICATE_URL))
    await downloads.asked.wait()
    others = [asyncio.create_task(certificates.public_key(CERTIFICATE_URL)) for _ in range(10)]
    first.cancel()  # a cancelled request must not affect the others
    downloads.may_answer.set()
    await asyncio.gather(*others)
    assert downloads.count == 1


@pytest.mark.parametrize("content", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
async def test_what_is_no_certificate_is_a_failure(content: bytes) -> None:
    with pytest.raises(MessageRefusedError):
        await Certificates(Downloads(content), Pocket()).public_key(CERTIFICATE_URL)


@pytest.mark.parametrize("valid", [(-3, -1), (1, 3)])
def test_a_certificate_out_of_its_time_points_to_our_clock(valid: tuple[int, int]) -> None:
    with pytest.raises(MessageRefusedError, match="clock") as caught:
        usable_key(SnsKey(valid=valid).certificate)
    assert (caught.value.temporary, caught.value.status) == (True, 429)
