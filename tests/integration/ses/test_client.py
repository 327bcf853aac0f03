import asyncio
from pathlib import Path

import pytest
from botocore.credentials import ReadOnlyCredentials
from structlog.testing import capture_logs

from email_consumer.aws.credentials import MissingCredentialsError
from email_consumer.core.account import AccountUnavailableError
from email_consumer.core.outcome import (
    Failed,
    Held,
    InDoubt,
    Interrupted,
    Rejected,
    SendResult,
    Sent,
    TenantRefused,
    Throttled,
)
from email_consumer.runtime.clock import elapsed
from tests.factories import mail
from tests.integration.ses.sandbox import SOON, Sandbox, client
from tests.waiting import patience


def store(file: Path, access_key: str, secret_key: str) -> None:
    file.write_text(f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n")


async def test_a_mail_arrives_as_it_was(sandbox: Sandbox) -> None:
    async with client(sandbox.url, configuration_set="events") as ses:
        message = mail("u-1", body="<p>Grüße\r\n ☂</p>", cc=["c@example.org"], headers={"X-Kind": "bill"})
        result = await ses.send(message)
    assert isinstance(result, Sent)
    [stored] = (await sandbox.ask("GET", "/messages?uuid=u-1"))["messages"]
    assert stored["message_id"] == result.message_id
    assert stored["html"] == "<p>Grüße\r\n ☂</p>"
    assert (stored["from"], stored["to"], stored["cc"]) == ("shop@example.com", ["a@example.com"], ["c@example.org"])


async def test_the_account_is_reported(sandbox: Sandbox) -> None:
    await sandbox.set_account(max_send_rate=14, max_24_hour_send=50_000, sent_last_24_hours=7)
    async with client(sandbox.url) as ses:
        account = await ses.account()
        assert (account.max_send_rate, account.max_24_hour_send, account.sent_last_24_hours) == (14, 50_000, 7)
        await sandbox.set_account(max_24_hour_send=-1, sending_enabled=False, enforcement_status="SHUTDOWN")
        account = await ses.account()
    assert (account.max_24_hour_send, account.sending_enabled, account.enforcement_status) == (None, False, "SHUTDOWN")


async def test_an_account_that_may_not_be_asked_for(sandbox: Sandbox) -> None:
    await sandbox.fault(operation="GetAccount", kind="error", code="AccessDeniedException")
    await sandbox.fault(operation="GetAccount", kind="error", code="InternalFailure")
    async with client(sandbox.url) as ses:
        with pytest.raises(AccountUnavailableError) as denied:
            await ses.account()
        with pytest.raises(AccountUnavailableError) as broken:
            await ses.account()
    assert (denied.value.forbidden, broken.value.forbidden) == (True, False)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("MessageRejected", Rejected),
        ("BadRequestException", Rejected),
        ("TooManyRequestsException", Throttled),
        ("ThrottlingException", Throttled),
        ("InternalFailure", Failed),
        ("ServiceUnavailable", Failed),
        ("AccountSuspendedException", Held),
        ("SendingPausedException", Held),
        ("NotFoundException", Held),
        ("MailFromDomainNotVerifiedException", Held),
        ("ExpiredTokenException", Held),
        ("AccessDeniedException", Held),
    ],
)
async def test_each_error_becomes_its_outcome_in_one_attempt(
    sandbox: Sandbox, code: str, expected: type[SendResult]
) -> None:
    await sandbox.fault(kind="error", code=code)
    async with client(sandbox.url) as ses:
        result = await ses.send(mail())
        assert isinstance(result, expected)
        assert code in str(result)
        assert await sandbox.accepted("u-1") == 0
        assert isinstance(await ses.send(mail()), Sent)


async def test_a_tenant_that_lacks_something_or_is_paused_concerns_its_own_mail(sandbox: Sandbox) -> None:
    identity = "arn:aws:ses:ap-northeast-2:000000000000:identity/example.com"
    tenants: dict[str, object] = {"acme": {}, "paused": {"resources": [identity], "sending_status": "DISABLED"}}
    await sandbox.ask("PUT", "/sandbox/tenants", {"tenants": tenants})
    async with client(sandbox.url) as ses:
        for tenant, said in (("acme", "not associated"), ("paused", "paused"), ("nobody", "not found")):
            result = await ses.send(mail(tenant=tenant))
            assert isinstance(result, TenantRefused)
            assert (result.tenant, said in result.reason) == (tenant, True)
        assert isinstance(await ses.send(mail()), Sent)


async def test_the_limits_of_the_account_throttle_and_hold(sandbox: Sandbox) -> None:
    async with client(sandbox.url) as ses:
        await sandbox.set_account(max_send_rate=1)
        assert isinstance(await ses.send(mail("first")), Sent)
        assert isinstance(await ses.send(mail("second")), Throttled)
        await sandbox.set_account(max_send_rate=100, max_24_hour_send=1)
        assert isinstance(await ses.send(mail("third")), Held)


async def test_expired_credentials_hold_until_the_file_has_new_ones(
    sandbox: Sandbox, aws_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    store(aws_environment, "old", "old-secret")
    async with client(sandbox.url) as ses:
        assert isinstance(await ses.send(mail()), Held)
        store(aws_environment, "sandbox", "sandbox-secret")
        assert isinstance(await ses.send(mail()), Sent)
        await ses.account()


async def test_new_credentials_in_the_file_are_found_although_nothing_is_sent(
    sandbox: Sandbox, aws_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    store(aws_environment, "old", "old-secret")
    async with client(sandbox.url) as ses:
        with pytest.raises(AccountUnavailableError):
            await ses.account()
        store(aws_environment, "sandbox", "sandbox-secret")
        assert (await ses.account()).sending_enabled


async def test_credentials_that_are_still_refused_are_not_read_again_at_every_send(sandbox: Sandbox) -> None:
    await sandbox.set_credentials(expired=True)
    async with client(sandbox.url) as ses:
        with capture_logs() as logs:
            for _ in range(2):
                results = await asyncio.gather(*(ses.send(mail(str(number))) for number in range(20)))
                assert all(isinstance(result, Held) for result in results)
        assert [line["event"] for line in logs] == ["ses.credentials_read_again"]
        await sandbox.set_credentials(expired=False)
        assert isinstance(await ses.send(mail()), Sent)


async def test_nothing_is_sent_when_the_credentials_came_too_late_for_the_claim(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(sandbox.url) as ses:
        given = ses._credentials

        async def after_the_deadline() -> ReadOnlyCredentials:
            credentials = await given()
            await asyncio.sleep(deadline - elapsed() + 0.01)
            return credentials

        deadline = elapsed() + 0.1
        with monkeypatch.context() as slow:
            slow.setattr(ses, "_credentials", after_the_deadline)
            assert await ses.send(mail(), deadline) == Interrupted()
        assert await sandbox.accepted("u-1") == 0
        assert isinstance(await ses.send(mail(), elapsed() + 60), Sent)


async def test_credentials_that_never_come_while_the_account_is_read_do_not_hold_the_mail_for_ever(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(sandbox.url, timeout=0.4) as ses:
        given, turn, comes = ses._aws.credentials, asyncio.Lock(), False

        async def refreshed() -> ReadOnlyCredentials:
            async with turn:  # as botocore does it: one caller refreshes them, the others wait
                if not comes:
                    await asyncio.Event().wait()
                return await given()

        monkeypatch.setattr(ses._aws, "credentials", refreshed)
        async with patience():
            with pytest.raises(AccountUnavailableError, match="no valid AWS credentials"):
                await ses.account()
        comes = True
        assert isinstance(await ses.send(mail()), Sent)


async def test_no_credentials_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(MissingCredentialsError, match="AWS_ACCESS_KEY_ID"):
        async with client(None):
            pytest.fail("started")


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, "https://email.eu-west-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL_SESV2": "http://127.0.0.1:1/ses/"}, "http://127.0.0.1:1/ses"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "https://email-fips.us-east-1.amazonaws.com"),
    ],
)
async def test_the_endpoint_is_botocores(
    variables: dict[str, str], endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    region = "us-east-1" if "fips" in endpoint else "eu-west-1"
    async with client(None, region=region) as ses:
        assert ses.endpoint == endpoint


async def test_the_setting_goes_before_aws_variables(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", "http://127.0.0.1:1")
    async with client(sandbox.url) as ses:
        assert isinstance(await ses.send(mail()), Sent)


async def test_what_is_cancelled_stays_cancelled(sandbox: Sandbox) -> None:
    fault = await sandbox.fault(kind="hang")
    async with client(sandbox.url) as ses:
        task = asyncio.create_task(ses.send(mail()))
        await sandbox.struck(fault)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert isinstance(await ses.send(mail()), Sent)


@pytest.mark.parametrize(("kind", "accepted"), [("hang", 0), ("hang_after", 1), ("cut_before", 0), ("cut_after", 1)])
async def test_a_missing_answer_is_in_doubt(sandbox: Sandbox, kind: str, accepted: int) -> None:
    fault = await sandbox.fault(kind=kind)
    async with client(sandbox.url, timeout=SOON) as ses:
        assert isinstance(await ses.send(mail()), InDoubt)
    await sandbox.struck(fault)
    if accepted:
        await sandbox.until_accepted("u-1")
    assert await sandbox.accepted("u-1") == accepted


@pytest.mark.parametrize("kind", ["status", "status_after"])
@pytest.mark.parametrize("status", [202, 302, 400, 401, 403, 404, 407, 413, 429, 500, 502, 503, 504])
async def test_a_status_that_ses_did_not_write_proves_nothing(sandbox: Sandbox, status: int, kind: str) -> None:
    await sandbox.fault(kind=kind, status=status)
    async with client(sandbox.url) as ses:
        result = await ses.send(mail())
    assert isinstance(result, InDoubt)
    assert f"HTTP {status}" in result.reason
    assert await sandbox.accepted("u-1") == (kind == "status_after")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_an_answer_that_was_encoded_on_the_way_is_read(sandbox: Sandbox, encoding: str) -> None:
    async with client(sandbox.url) as ses:
        await sandbox.fault(kind="encode", encoding=encoding)
        assert isinstance(await ses.send(mail()), Sent)
        await sandbox.fault(kind="error", code="MessageRejected", message="Sending paused for this account.")
        await sandbox.fault(kind="encode", encoding=encoding)
        assert isinstance(await ses.send(mail()), Held)
        await sandbox.fault(operation="GetAccount", kind="encode", encoding=encoding)
        assert (await ses.account()).sending_enabled


async def test_an_answer_that_trickles_ends_with_the_time_of_the_call(sandbox: Sandbox) -> None:
    await sandbox.fault(kind="trickle", seconds=0.5)
    await sandbox.fault(operation="GetAccount", kind="trickle", seconds=0.5)
    async with client(sandbox.url, timeout=SOON) as ses:
        assert isinstance(await ses.send(mail()), InDoubt)
        with pytest.raises(AccountUnavailableError):
            await ses.account()
    await sandbox.until_accepted("u-1")
