"""What the API accepts fits into the queue, whoever gets it: what does not would stay in the store, and other recipients with it."""

import time
from contextlib import suppress
from datetime import UTC

import pytest

from email_consumer.api.batch import prepare
from email_consumer.api.mail_store import MailStore
from email_consumer.api.new_messages import NewMessages
from email_consumer.message.lane import Lane
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.store.database import Database
from email_consumer.web.routing import ApiError

MAX_PAYLOAD = 10_000


@pytest.mark.parametrize("email", ["jane@example.com", "名" * 290 + " <jane@example.com>"], ids=["short", "long"])
async def test_the_largest_mail_that_is_accepted_fits(database: Database, email: str) -> None:
    message = {"emails": [email], "subject": "s", "topic_id": "t" * 256, "lane": "transactional"}
    store = MailStore(database, 3_600.0, traced=True)
    for size in range(MAX_PAYLOAD, 0, -1):  # the largest first
        given = message | {"content": "x" * size, "expires_at": "2090-01-01T00:00:00Z"}
        with suppress(ApiError):
            batch = await prepare(NewMessages.model_validate({"messages": [given]}), UTC, MAX_PAYLOAD)
            break
    headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    await store.store(batch, lambda: "{}", None, headers)
    async with database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET ramped_on = ?, limited_on = ?", (_today(), _today()))
    [due] = (await DueMail(database).take(Lane.TRANSACTIONAL, 1)).messages
    assert MAX_PAYLOAD - 2_000 < due.size <= MAX_PAYLOAD


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())
