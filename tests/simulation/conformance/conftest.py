"""Runs a test's body against the real nats-server and against the model."""

from collections.abc import Iterator

import pytest

from tests.simulation.conformance.site import ModelSite, RealSite, Run


@pytest.fixture(scope="package")
def real_site() -> Iterator[RealSite]:
    """Of a process; each test leaves it empty."""
    site = RealSite()
    yield site
    site.close()


@pytest.fixture(params=["server", "model"])
def run(request: pytest.FixtureRequest) -> Run:
    if request.param == "server":
        site: RealSite = request.getfixturevalue("real_site")
        return site.run
    return ModelSite(seed=1).run
