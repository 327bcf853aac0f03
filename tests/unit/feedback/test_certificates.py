"""How certificates are kept, and how often they may be fetched."""

import asyncio

import pytest

from email_consumer.feedback.certificates import Certificates, DownloadError, usable_key
from email_consumer.feedback.refusal import Refusal
from tests.unit.feedback.sns_key import CERTIFICATE_URL, SnsKey

KEY = SnsKey()


class Downloads:
    """Answers in turn with what it was given, and counts."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self._answers = list(answers)
        self.count = 0
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, _url: str) -> bytes:
        self.count += 1
        self.asked.set()
        await self.may_answer.wait()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_certificate_is_kept_for_its_time() -> None:
    downloads = Downloads(KEY.pem, KEY.pem)
    certificates = Certificates(downloads)
    await certificates.public_key(CERTIFICATE_URL)
    await certificates.public_key(CERTIFICATE_URL)
    assert downloads.count == 1
    forgetful = Certificates(downloads, ttl=0)
    await forgetful.public_key(CERTIFICATE_URL)
    assert downloads.count == 2


async def test_a_failure_is_remembered_for_a_while_and_passes() -> None:
    downloads = Downloads(DownloadError("no route"), KEY.pem)
    certificates = Certificates(downloads)
    for _ in range(2):
        with pytest.raises(Refusal, match="no route") as caught:
            await certificates.public_key(CERTIFICATE_URL)
        assert caught.value.passing
    assert downloads.count == 1
    forgetful = Certificates(Downloads(DownloadError("no route"), KEY.pem), failure_ttl=0)
    with pytest.raises(Refusal, match="no route"):
        await forgetful.public_key(CERTIFICATE_URL)
    await forgetful.public_key(CERTIFICATE_URL)


async def test_all_who_need_one_share_one_download() -> None:
    downloads = Downloads(KEY.pem)
    downloads.may_answer.clear()
    certificates = Certificates(downloads)
    first = asyncio.create_task(certificates.public_key(CERTIFICATE_URL))
    await downloads.asked.wait()
    others = [asyncio.create_task(certificates.public_key(CERTIFICATE_URL)) for _ in range(10)]
    first.cancel()  # whoever gives up takes nothing from the others
    downloads.may_answer.set()
    await asyncio.gather(*others)
    assert downloads.count == 1


async def test_strangers_can_make_us_fetch_only_few() -> None:
    downloads = Downloads(*[DownloadError("404")] * 30)
    certificates = Certificates(downloads)
    for number in range(30):
        with pytest.raises(Refusal):
            await certificates.public_key(CERTIFICATE_URL.replace("9c64", f"{number:04x}"))
    assert downloads.count == 10


@pytest.mark.parametrize("content", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
async def test_what_is_no_certificate_is_a_failure(content: bytes) -> None:
    with pytest.raises(Refusal):
        await Certificates(Downloads(content)).public_key(CERTIFICATE_URL)


@pytest.mark.parametrize("valid", [(-3, -1), (1, 3)])
def test_a_certificate_out_of_its_time_points_to_our_clock(valid: tuple[int, int]) -> None:
    with pytest.raises(Refusal, match="clock") as caught:
        usable_key(SnsKey(valid=valid).certificate)
    assert caught.value.passing
