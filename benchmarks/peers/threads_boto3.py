"""nats-py's fetch, and boto3 in threads.

Defaults: boto3's pool of 10 connections and its retries, 64 threads, asyncio's own loop.
Tuned: a connection for each thread, one attempt, no validation of parameters, uvloop.
Careful: what fails is logged and delivered again, and a SIGTERM lets what was fetched be finished; by default either ends
the program.
"""

import argparse
import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from signal import SIGTERM
from typing import Any

import boto3
import msgpack
import nats
import uvloop
from botocore.config import Config
from nats.aio.msg import Msg

from benchmarks.peers.request import send_email

_THREADS = 64


async def main(*, tuned: bool, careful: bool) -> None:
    config = (
        Config(max_pool_connections=_THREADS, parameter_validation=False, retries={"total_max_attempts": 1})
        if tuned
        else None
    )
    ses = boto3.client("sesv2", config=config)
    client = await nats.connect(os.environ["NATS_URL"])
    subscription = await client.jetstream().pull_subscribe(
        os.environ["SUBJECT"], durable=os.environ["CONSUMER"], stream=os.environ["STREAM"]
    )
    free = asyncio.Semaphore(2 * _THREADS)
    terminated = asyncio.Event()
    if careful:
        asyncio.get_running_loop().add_signal_handler(SIGTERM, terminated.set)
    with ThreadPoolExecutor(_THREADS) as threads:
        async with asyncio.TaskGroup() as tasks:
            while not terminated.is_set():
                for message in await _fetch(subscription):
                    await free.acquire()
                    tasks.create_task(_handle(threads, ses, message, free, careful=careful))
    await client.flush()  # the acknowledgements
    await client.close()


async def _fetch(subscription: Any) -> list[Msg]:  # noqa: ANN401 - nats-py's class is not exported
    try:
        messages: list[Msg] = await subscription.fetch(_THREADS, timeout=5)
    except TimeoutError:
        return []
    return messages


async def _handle(
    threads: ThreadPoolExecutor,
    ses: Any,  # noqa: ANN401 - boto3 is untyped
    message: Msg,
    free: asyncio.Semaphore,
    *,
    careful: bool,
) -> None:
    try:
        await asyncio.get_running_loop().run_in_executor(threads, _send, ses, message.data)
        await message.ack()
    except Exception as error:
        if not careful:
            raise
        print(f"not sent: {error!r}", flush=True)
        await message.nak(delay=1)
    finally:
        free.release()


def _send(ses: Any, payload: bytes) -> None:  # noqa: ANN401 - boto3 is untyped
    ses.send_email(**send_email(msgpack.unpackb(payload)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--careful", action="store_true")
    given = parser.parse_args()
    (uvloop.run if given.tuned else asyncio.run)(main(tuned=given.tuned, careful=given.careful))
