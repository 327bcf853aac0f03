"""FastStream's pull subscriber and aioboto3.

Defaults: aioboto3's pool of 10 connections and its retries, asyncio's own loop.
Tuned: a connection for each worker, one attempt, no validation of parameters, no log
line per mail, handlers called without injection of dependencies, uvloop.
Careful: what fails or can't be read is delivered again a second later, not dropped as by default (`REJECT_ON_ERROR`), and
fewer mails wait in memory, where they would be delivered again after `ack_wait`.
"""

import argparse
import asyncio
import os
from contextlib import AsyncExitStack
from typing import NoReturn

import aioboto3
import msgpack
import uvloop
from aiobotocore.config import AioConfig
from faststream import AckPolicy, ExceptionMiddleware, FastStream
from faststream.exceptions import NackMessage
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub

from benchmarks.peers.request import send_email

_WORKERS = {False: 100, True: 256}
_CAREFUL_WORKERS = 64


async def main(*, tuned: bool, careful: bool) -> None:
    workers = _CAREFUL_WORKERS if careful else _WORKERS[tuned]
    config = (
        AioConfig(max_pool_connections=workers, parameter_validation=False, retries={"total_max_attempts": 1})
        if tuned
        else None
    )
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aioboto3.Session().client("sesv2", config=config))
        url = os.environ["NATS_URL"]
        broker = (
            NatsBroker(url, decoder=_decode, logger=None, apply_types=False)
            if tuned
            else NatsBroker(url, decoder=_decode)
        )
        if careful:
            broker.add_middleware(ExceptionMiddleware(handlers={Exception: _deliver_again}))

        @broker.subscriber(
            os.environ["SUBJECT"],
            stream=JStream(os.environ["STREAM"], declare=False),  # else its declaration fails on a work queue
            durable=os.environ["CONSUMER"],
            pull_sub=PullSub(batch_size=workers),
            max_workers=workers,
            ack_policy=AckPolicy.NACK_ON_ERROR if careful else AckPolicy.REJECT_ON_ERROR,
        )
        async def handle(mail: dict[str, str]) -> None:
            await client.send_email(**send_email(mail))

        await FastStream(broker).run()


async def _decode(message: NatsMessage) -> dict[str, str]:
    mail: dict[str, str] = msgpack.unpackb(message.body)
    return mail


async def _deliver_again(error: Exception) -> NoReturn:
    print(f"not sent: {error!r}", flush=True)
    raise NackMessage(delay=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--careful", action="store_true")
    given = parser.parse_args()
    (uvloop.run if given.tuned else asyncio.run)(main(tuned=given.tuned, careful=given.careful))
