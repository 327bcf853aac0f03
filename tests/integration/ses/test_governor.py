from email_consumer.core.metrics import Metrics
from email_consumer.pipeline.pacer import Pacer
from email_consumer.ses.governor import Governor
from tests.integration.ses.sandbox import Sandbox, client


async def test_the_pace_follows_the_account(sandbox: Sandbox) -> None:
    metrics = Metrics()
    pacer = Pacer(500, metrics)
    async with client(sandbox.url) as ses:
        governor = Governor(rate=500, pace=pacer, metrics=metrics, account=ses.account)
        await sandbox.set_account(max_send_rate=14, sending_enabled=False)
        await governor.check_account()
        assert pacer.rate == 14
        assert "SendingEnabled" in pacer.held
        await sandbox.set_account(max_send_rate=1_000, sending_enabled=True)
        await governor.check_account()
    assert pacer.rate == 500
    assert not pacer.held
