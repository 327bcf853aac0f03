"""Mail in each state that an upgrade can meet, brought there by the real program."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import nats

from tests.acceptance.publisher import as_array, as_map
from tests.servers.daemon import Daemon
from tests.upgrade.installation import Installation

SOON = 60.0
"""Seconds until what is due soon is due: by then the recording is over."""
_FAR = "2199-01-01T00:00:00Z"
_SUPPRESSED = {
    "bounced": "bounce@simulator.amazonses.com",
    "complained": "complaint@simulator.amazonses.com",
    "unsubscribed": "left@example.com",
    "suppressed-by-hand": "Never <NEVER@example.com>",
}
_BY_HAND = ["Never@example.com", "anna@bücher.example", '"dora"@example.com']
_ONE_FORM = {
    "international": "Anna <ANNA@bücher.example>",
    "punycode": "anna@xn--bcher-kva.example",
    "quoted": '"dora"@example.com',
    "unquoted": "dora@example.com",
}
"""Other ways to write them."""
_FEEDS = ("messages-outcomes", "messages-scheduled")


class Recorder:
    """Each method leaves mail in one state; `manifest` says what is to become of it after an upgrade."""

    def __init__(self, place: Installation) -> None:
        self._place = place
        self.soon_at = time.time() + SOON
        self._soon = datetime.fromtimestamp(self.soon_at, UTC).isoformat()
        self._arrives: list[str] = []
        self._doubtful: list[str] = []
        self._waits: list[str] = []
        self._stopped: dict[str, str] = {}
        self._sent: dict[str, bytes] = {}
        self._links: dict[str, str] = {}
        self._request: dict[str, Any] = {}

    @property
    def manifest(self) -> dict[str, Any]:
        """By uuid; README.md explains it."""
        return {
            "arrives": self._arrives,
            "doubtful": self._doubtful,
            "waits": self._waits,
            "stopped": self._stopped,
            "sent": list(self._sent),
            "dead": {"rejected": 2, "exhausted": 1, "undecodable": 2},
            "links": self._links,
            "request": self._request,
        }

    async def finished_mail(self) -> None:
        """All that comes to an end while the program runs: sent, failed for good, its events heard."""
        place = self._place
        await self._fault("rejected-*", kind="error", code="MessageRejected")
        await self._fault("exhausted-*", kind="error", code="InternalFailure", status=500)
        self._sent |= {f"sent-map-{number}": as_map(f"sent-map-{number}", topic_id="news") for number in range(3)}
        self._sent |= {f"sent-array-{number}": as_array(f"sent-array-{number}") for number in range(3)}
        self._sent["sent-named"] = as_map("sent-named", email="Jane Doe <Jane.Doe@Example.com>")
        self._sent["sent/odd uuid #1"] = as_map("sent/odd uuid #1")
        bounced, complained = _SUPPRESSED["bounced"], _SUPPRESSED["complained"]
        others = [
            as_map("first-bounced", email=bounced, topic_id="news"),
            as_map("first-complained", email=complained, topic_id="news"),
            *(as_map(f"rejected-{number}", topic_id="news") for number in range(2)),
            as_map("exhausted-0"),
            as_map("undecodable", email="nobody"),
            b"\xc1 no message",
        ]
        await place.publisher.publish([*self._sent.values(), *others])
        await self._mail_with_links()
        await place.until("SELECT count(*) FROM email_requests WHERE status = 2", 12)
        await place.until("SELECT count(*) FROM email_requests WHERE status = 3", 3)
        await place.until("SELECT count(DISTINCT request_id) FROM email_results WHERE status = 'Send'", 12)
        await place.until("SELECT count(DISTINCT request_id) FROM email_results WHERE status = 'Delivery'", 11)
        await place.until("SELECT count(*) FROM suppressions", 2)
        for address in _BY_HAND:
            await place.ask("POST", "/v1/suppressions", {"address": address})
        await place.unsubscribe(await self._unsubscribe_link(_SUPPRESSED["unsubscribed"]))
        await place.until("SELECT count(*) FROM suppressions", 6)

    async def _mail_with_links(self) -> None:
        body = {
            "messages": [
                {
                    "emails": [_SUPPRESSED["unsubscribed"], "stays@example.com"],
                    "subject": "s",
                    "content": "<p>Hello</p>",
                    "topic_id": "letter",
                    "list_unsubscribe": True,
                }
            ]
        }
        answer = await self._place.ask("POST", "/v1/messages", body, headers={"Idempotency-Key": "once"})
        self._request = {"key": "once", "body": body, "ids": answer["ids"]}
        await self._place.until("SELECT count(*) FROM email_requests WHERE topic_id = 'letter' AND status = 2", 2)
        [mail] = (await self._place.sandbox.get("/messages", to="stays@example.com"))["messages"]
        pixel = "/" + mail["html"].partition('src="')[2].partition('"')[0].split("/", 3)[3]
        self._links = {
            "address": "stays@example.com",
            "uuid": mail["uuid"],
            "open": pixel,
            "unsubscribe": await self._unsubscribe_link("stays@example.com"),
        }

    async def _unsubscribe_link(self, address: str) -> str:
        [mail] = (await self._place.sandbox.get("/messages", to=address))["messages"]
        link: str = mail["headers"]["List-Unsubscribe"]
        return "/" + link.strip("<>").split("/", 3)[3]

    async def mail_for_later(self) -> None:
        """In the tables: due when the fixture is opened, due in a century, and of a topic that will be cancelled."""
        mails = [("later-soon", "news", self._soon), ("later-far", "news", _FAR), ("later-stopped", "stopped", _FAR)]
        await self._place.publisher.publish(
            [as_map(uuid, topic_id=topic, scheduled_at=at) for uuid, topic, at in mails]
        )
        self._arrives += ["later-soon", *await self._api_message(scheduled_at=self._soon)]
        self._waits += ["later-far", *await self._api_message(scheduled_at=_FAR)]
        self._stopped["later-stopped"] = "cancelled"
        await self._place.until("SELECT count(*) FROM email_requests WHERE status = 0 AND scheduled_at NOT NULL", 5)

    async def mail_in_doubt(self) -> None:
        """SES took it; its answer got lost, and so did its events."""
        await self._place.sandbox.put("/sandbox/events", {"enabled": False})
        await self._fault("doubted-*", kind="hang_after")
        self._doubtful += await self._publish("doubted", 2)
        await self._place.until("SELECT count(*) FROM email_requests WHERE in_doubt = 1", 2)

    async def mail_to_retry(self) -> None:
        """One attempt is spent, the next is some seconds away."""
        await self._fault("retried-*", kind="error", code="InternalFailure", status=500)
        self._arrives += await self._publish("retried", 2)
        await self._place.until("SELECT count(*) FROM email_requests WHERE status = 0 AND attempts = 1", 2)

    async def mail_the_tables_miss(self) -> None:
        """What workers reported while nobody listened: mail that was sent, and mail for later."""
        client = await nats.connect(self._place.nats.url)
        for stream in _FEEDS:
            await client.request(
                f"$JS.API.CONSUMER.PAUSE.{stream}.sidecar", b'{"pause_until": "%s"}' % self._soon.encode()
            )
        mails = [("untold-soon", self._soon), ("untold-far", _FAR)]
        await self._place.publisher.publish([as_map(uuid, topic_id="news", scheduled_at=at) for uuid, at in mails])
        self._arrives.append("untold-soon")
        self._waits.append("untold-far")
        self._sent |= {uuid: as_map(uuid) for uuid in await self._publish("untold", 3)}

        async def all_waiting() -> bool:
            waiting = [(await client.jetstream().stream_info(stream)).state.messages for stream in _FEEDS]
            sent = [uuid for uuid in await self._place.sent() if uuid.startswith("untold")]
            return len(sent) == 3 and waiting[0] > 0 and waiting[1] == 2

        await self._place.until_true(all_waiting, "outcomes and scheduled mail that wait for the sidecar")
        await client.close()

    async def claimed_mail(self) -> None:
        """Its request is under way when the program is killed: nobody will know whether SES took it."""
        fault = await self._fault("claimed-*", kind="hang")
        self._doubtful += await self._publish("claimed", 2)
        await self._place.sandbox.get(f"/sandbox/faults/{fault}/wait", hits=2, timeout=60)

    async def held_and_cancelled(self, sender: Daemon) -> None:
        """The account is paused, so that what comes lies in the stream; then a topic is cancelled."""
        await self._place.sandbox.put("/sandbox/account", {"sending_enabled": False})
        self._arrives += await self._publish("held", 4)  # they keep the one place that is left
        await sender.wait_for("queue.held")
        self._stopped |= dict.fromkeys(await self._publish("cancelled", 5, topic_id="stopped"), "cancelled")
        await self._place.ask("DELETE", "/v1/topics/stopped")
        self._arrives += await self._publish("after-the-cancellation", 1, topic_id="stopped")
        self._arrives += await self._api_message()
        await self._place.until(
            "SELECT count(*) FROM email_requests WHERE status = 0 AND published_at NOT NULL AND source = 'api'", 1
        )
        await self._place.until("SELECT count(*) FROM email_requests WHERE uuid LIKE 'cancelled-%'", 0)

    async def mail_of_the_api_alone(self) -> None:
        """NATS is away, and the program will be killed before it is back."""
        await self._place.nats.kill()
        self._arrives += await self._api_message()

    async def lapsed_leases(self) -> None:
        """Another host would have to wait half a minute: fixtures are opened long after that."""
        client = await nats.connect(self._place.nats.url)
        leases = await client.jetstream().key_value("messages-tenancy")
        for key in await leases.keys():
            value = json.loads((await leases.get(key)).value or b"")
            if not value["shared"]:
                await leases.put(key, json.dumps(value | {"released": True}).encode())
        await client.close()

    async def queued_mail(self) -> None:
        """What publishers put into the stream while the program is down, some of it for the second time."""
        self._arrives += await self._publish("queued-map", 10, topic_id="news")
        self._arrives += await self._publish("queued-array", 10, form=as_array)
        odd = {
            "queued-named": as_map("queued-named", email="Jane Doe <Jane.Doe@Example.com>"),
            "queued/odd uuid #1": as_map("queued/odd uuid #1"),
        }
        addresses = _SUPPRESSED | _ONE_FORM
        suppressed = {f"queued-{name}": as_map(f"queued-{name}", email=email) for name, email in addresses.items()}
        expiring = as_map("queued-expiring", expires_at=self._soon)
        later = as_map("queued-far", scheduled_at=_FAR)
        self._arrives += odd
        self._stopped |= dict.fromkeys(suppressed, "suppressed") | {"queued-expiring": "expired"}
        self._waits.append("queued-far")
        await self._place.publisher.publish(
            [*odd.values(), *suppressed.values(), expiring, later, *self._sent.values()]
        )

    async def _publish(self, name: str, count: int, form: Callable[..., bytes] = as_map, **fields: object) -> list[str]:
        """As many mails; their uuids."""
        uuids = [f"{name}-{number}" for number in range(count)]
        await self._place.publisher.publish([form(uuid, **fields) for uuid in uuids])
        return uuids

    async def _api_message(self, **fields: object) -> list[str]:
        """One mail through the API; its uuid."""
        message = {"emails": ["api@example.com"], "subject": "s", "content": "<p>Hello</p>", "topic_id": "news"}
        answer = await self._place.ask("POST", "/v1/messages", {"messages": [message | fields]})
        ids: list[str] = answer["ids"]
        return ids

    async def _fault(self, uuids: str, **action: object) -> int:
        script = {"match": {"uuid": uuids}, "action": action}
        return int((await self._place.sandbox.post("/sandbox/faults", script))["id"])
