"""moto's SQS for tests: an HTTP server in a process of its own, on a free port of loopback; forgets all when it ends.

What else moto has (SNS, IAM, STS) is there too.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from typing import Any, Self
from uuid import uuid4

import aiohttp

from tests.servers.ports import free_ports
from tests.waiting import until

REGION = "ap-northeast-2"
_SCOPE = f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/sqs/aws4_request, SignedHeaders=host, Signature=0"
_BATCH = 10


class SqsServer:
    """`with SqsServer() as server:` runs one until the block ends; it takes seconds to start, so tests share it."""

    def __init__(self, account: str = "123456789012") -> None:
        self._account = account
        [self._port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Run it, on the same port each time; without the queues it had."""
        command = (sys.executable, "-m", "tests.servers.moto_sqs", str(self._port))
        environ = os.environ | {"MOTO_ACCOUNT_ID": self._account}
        self._process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        assert int(self._process.stdout.readline()) == self._port

    def kill(self) -> None:
        """End it at once. Killing what does not run is no error."""
        self._process.kill()
        self._process.communicate()

    async def call(self, action: str, **parameters: Any) -> dict[str, Any]:
        """One call of the SQS API; raises what the server says is wrong."""
        headers = {"X-Amz-Target": f"AmazonSQS.{action}", "Authorization": _SCOPE}
        headers["Content-Type"] = "application/x-amz-json-1.0"
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, headers=headers, data=json.dumps(parameters)) as response,
        ):
            answer: dict[str, Any] = json.loads(await response.read() or b"{}")
            if not response.ok:
                raise RuntimeError(f"{action}: {answer}")
            return answer

    async def create_queue(self, purpose: str, *, name: str = "", **attributes: object) -> "TestQueue":
        """A new queue, its name beginning with `purpose`; `attributes` are those of CreateQueue."""
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in attributes.items()}
        name = name or f"{purpose}-{uuid4().hex}"
        answer = await self.call("CreateQueue", QueueName=name, Attributes=texts)
        return TestQueue(self, name, answer["QueueUrl"])

    async def create_queue_with_dead_letters(
        self, purpose: str, receives: int = 1000
    ) -> tuple["TestQueue", "TestQueue"]:
        """A queue, and the one that its RedrivePolicy names."""
        dead = await self.create_queue(f"{purpose}-dead")
        arn = (await dead.attributes())["QueueArn"]
        policy = {"deadLetterTargetArn": arn, "maxReceiveCount": receives}
        return await self.create_queue(purpose, RedrivePolicy=policy), dead


class TestQueue:
    """One queue, as an upstream service and an operator see it."""

    __test__ = False  # pytest would take it for a class of tests

    def __init__(self, server: SqsServer, name: str, url: str) -> None:
        self._server = server
        self.name = name
        self.url = url

    async def calls(self) -> Counter[str]:
        """How often each batch and each receive was asked for so far, by moto's names; and receives answered."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._server.url}/_calls/{self.name}") as response,
        ):
            return Counter(await response.json())

    async def attributes(self) -> dict[str, str]:
        answer = await self._server.call("GetQueueAttributes", QueueUrl=self.url, AttributeNames=["All"])
        return dict(answer["Attributes"])

    async def send(self, bodies: list[str], **attributes: str) -> None:
        """Put them in; `attributes` are message attributes, underscores for dashes."""
        typed = {
            name.replace("_", "-"): {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        }
        entries = [
            {"Id": str(number), "MessageBody": body, "MessageAttributes": typed} for number, body in enumerate(bodies)
        ]
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            answer = await self._server.call("SendMessageBatch", QueueUrl=self.url, Entries=batch)
            assert not answer.get("Failed"), answer

    async def receive(self, wait: int = 0, visibility: int = 0) -> list[dict[str, Any]]:
        """Up to ten of its messages; they stay in it."""
        answer = await self._server.call(
            "ReceiveMessage",
            QueueUrl=self.url,
            MaxNumberOfMessages=_BATCH,
            WaitTimeSeconds=wait,
            VisibilityTimeout=visibility,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    async def take_all(self) -> list[dict[str, Any]]:
        """Everything that can be received now; out of sight for ten minutes."""
        taken = []
        while messages := await self.receive(visibility=600):
            taken += messages
        return taken

    async def unsettled(self) -> int:
        """Messages that wait or are in hand."""
        attributes = await self.attributes()
        return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])

    async def emptied(self) -> None:
        """Until everything is deleted."""

        async def empty() -> bool:
            return not await self.unsettled()

        await until(empty)
