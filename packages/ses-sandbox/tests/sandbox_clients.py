"""The real AWS clients, pointed at a sandbox."""

from typing import Any

import aioboto3
from botocore.config import Config

REGION = "ap-northeast-2"
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1}, read_timeout=10)


def client(service: str, url: str, **options: Any) -> Any:
    """An aioboto3 client with the sandbox's credentials; use it as a context manager."""
    credentials = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox-secret"}
    defaults = {"region_name": REGION, "endpoint_url": url, "config": ONE_ATTEMPT}
    return aioboto3.Session().client(service, **credentials | defaults | options)
