"""Recorded installations, opened by this version of the program."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.upgrade.installation import SHAPES, VERSIONS, Installation, installation, unpack


@dataclass
class Recorded:
    """What an earlier version left behind."""

    place: Installation
    manifest: dict[str, Any]

    @property
    def to_send(self) -> dict[str, int]:
        """How often each uuid has to reach SES, where what is in doubt is sent again."""
        return dict.fromkeys([*self.manifest["arrives"], *self.manifest["doubtful"]], 1)


@pytest.fixture(params=[(version, shape) for version in VERSIONS for shape in SHAPES], ids="-".join)
async def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Recorded]:
    version, shape = request.param
    manifest = unpack(version, shape, tmp_path)
    async with installation(tmp_path, shape) as place:
        yield Recorded(place, manifest)
