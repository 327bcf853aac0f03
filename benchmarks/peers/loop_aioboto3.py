"""The plain loop: nats-py's fetch, a task a message, aioboto3.

Defaults: aioboto3's pool of 10 connections and its retries, asyncio's own loop.
Tuned: a connection for each message in flight, one attempt, no validation of parameters, uvloop.
"""

import argparse
import asyncio
import os
from typing import Any

import aioboto3
import msgpack
import nats
import uvloop
from aiobotocore.config import AioConfig
from nats.aio.msg import Msg

from benchmarks.peers.request import send_email

_IN_FLIGHT = {False: 100, True: 256}


async def main(*, tuned: bool) -> None:
    in_flight = _IN_FLIGHT[tuned]
    config = (
        AioConfig(max_pool_connections=in_flight, parameter_validation=False, retries={"total_max_attempts": 1})
        if tuned
        else None
    )
    client = await nats.connect(os.environ["NATS_URL"])
    jetstream = client.jetstream()
    subscription = await jetstream.pull_subscribe(
        os.environ["SUBJECT"], durable=os.environ["CONSUMER"], stream=os.environ["STREAM"]
    )
    free = asyncio.Semaphore(in_flight)
    async with aioboto3.Session().client("sesv2", config=config) as ses, asyncio.TaskGroup() as tasks:
        while True:
            for message in await _fetch(subscription, in_flight):
                await free.acquire()
                tasks.create_task(_handle(ses, message, free))


async def _fetch(subscription: Any, count: int) -> list[Msg]:  # noqa: ANN401 - nats-py's class is not exported
    try:
        messages: list[Msg] = await subscription.fetch(count, timeout=5)
    except TimeoutError:
        return []
    return messages


async def _handle(ses: Any, message: Msg, free: asyncio.Semaphore) -> None:  # noqa: ANN401 - aioboto3 is untyped
    try:
        await ses.send_email(**send_email(msgpack.unpackb(message.data)))
        await message.ack()
    finally:
        free.release()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuned", action="store_true")
    given = parser.parse_args()
    (uvloop.run if given.tuned else asyncio.run)(main(tuned=given.tuned))
