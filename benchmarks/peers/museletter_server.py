"""museletter's own server (https://pypi.org/project/museletter), with the SES endpoint of the benchmark.

Run in an environment of its own. It has no setting for the endpoint; everything else is its own: sender, file and API.
"""

import os

from museletter import ses  # type: ignore[import-not-found]  # only in the environment that it is run in
from museletter.cli import app  # type: ignore[import-not-found]


def _with_endpoint(self: ses.SESClient, region: str, configuration_set: str = "", http: object = None) -> None:
    _original(self, region, configuration_set, http)
    self.endpoint = os.environ["AWS_ENDPOINT_URL_SESV2"]


_original = ses.SESClient.__init__
ses.SESClient.__init__ = _with_endpoint

if __name__ == "__main__":
    app()
