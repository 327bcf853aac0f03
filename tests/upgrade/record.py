"""Records what a version of the program leaves behind, for all later versions to open.

    python -m tests.upgrade.record --python OLD/.venv/bin/python --version b51fea7 [--held]

See README.md. The program is the one of `--python`; nats-server, the sandbox and this script are of this tree.
"""

import argparse
import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers.daemon import Daemon
from tests.upgrade.held_recorder import record_held
from tests.upgrade.installation import SHAPES, Installation, Shape, archive_of, installation, pack
from tests.upgrade.recorder import Recorder

_FIRST_LIFE = {"SES_TIMEOUT": 2, "MAX_ATTEMPTS": 2, "RETRY_DELAY": 0.2, "IN_DOUBT_GRACE": 86_400}
# Few mails at a time, so that some of a held queue are still in the stream; long time-outs, so that all is under way at the end.
_LAST_LIFE = {"SES_TIMEOUT": 600, "CONCURRENCY_LIMIT": 3, "RETRY_DELAY": 30, "IN_DOUBT_GRACE": 86_400}


async def record(shape: Shape, python: str, archive: Path) -> None:
    with TemporaryDirectory() as directory:
        async with installation(Path(directory), shape, python) as place:
            recorder = Recorder(place)
            await _first_life(place, recorder)
            await _last_life(place, recorder)
            await place.nats.restart()
            await recorder.lapsed_leases()
            await recorder.queued_mail()
            left = recorder.soon_at - time.time()
            if left < 0:
                raise SystemExit(f"{-left:.0f} s too late: what was to be due after the recording was due before")
            await asyncio.sleep(left)
        pack(Path(directory), archive, recorder.manifest)


async def record_held_mail(shape: Shape, python: str, archive: Path) -> None:
    with TemporaryDirectory() as directory:
        async with installation(Path(directory), shape, python) as place:
            manifest = await record_held(place)
            await Recorder(place).lapsed_leases()
            await place.nats.kill()
            pack(Path(directory), archive, manifest)


async def _first_life(place: Installation, recorder: Recorder) -> None:
    daemons = place.daemons(**_FIRST_LIFE)
    try:
        await _start(daemons)
        await place.sandbox.put("/sandbox/events", {"enabled": True, "delay": 0})
        await recorder.finished_mail()
        await recorder.mail_for_later()
        await recorder.mail_in_doubt()
        for daemon in reversed(daemons):
            await daemon.stop()
    finally:
        await _kill(daemons)


async def _last_life(place: Installation, recorder: Recorder) -> None:
    """It ends by SIGKILL, without NATS."""
    daemons = place.daemons(**_LAST_LIFE)
    try:
        await _start(daemons)
        await recorder.mail_to_retry()
        if place.shape == "roles":
            await recorder.mail_the_tables_miss()
        await recorder.claimed_mail()
        await recorder.held_and_cancelled(daemons[-1])
        await recorder.mail_of_the_api_alone()
    finally:
        await _kill(daemons)


async def _start(daemons: list[Daemon]) -> None:
    for daemon in daemons:
        await daemon.start()


async def _kill(daemons: list[Daemon]) -> None:
    await asyncio.gather(*(daemon.kill() for daemon in daemons))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="of an environment with the version to record")
    parser.add_argument("--version", required=True, help="names the fixtures: its commit")
    parser.add_argument("--held", action="store_true", help="the archives with held mail, not the others")
    parser.add_argument("--shape", choices=SHAPES, action="append", help="only this one")
    arguments = parser.parse_args()
    for shape in arguments.shape or SHAPES:
        archive = archive_of(arguments.version, shape, held=arguments.held)
        recording = record_held_mail if arguments.held else record
        asyncio.run(recording(shape, arguments.python, archive))
        print(f"{archive}: {archive.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
