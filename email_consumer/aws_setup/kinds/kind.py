"""What all kinds of resources have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from email_consumer.aws.errors import AwsError

Properties = Mapping[str, Any]
Tags = Mapping[str, str]


class Aws(Protocol):
    """Calls AWS; see `email_consumer.aws.control_plane.ControlPlane`."""

    async def call(self, service: str, operation: str, **arguments: object) -> dict[str, Any]:
        """Call a service by botocore's names.

        Raises:
            AwsError: there was no answer, or an error.
        """
        ...


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that a resource should have and hasn't."""

    text: str
    essential: bool = True
    """Without it the installation does not work."""


@dataclass(frozen=True, slots=True)
class Found:
    """A resource as it is."""

    tags: Tags = field(default_factory=dict)
    """Empty for a part of another resource."""
    lacks: tuple[Lack, ...] = ()
    """What `change` would give it."""
    differs: tuple[str, ...] = ()
    """What it has otherwise than described, and which is for a person to decide."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else is known: DKIM tokens, the URL of a queue."""


class Kind(ABC):
    """One kind of resource. All methods but `name` raise AwsError."""

    label: str
    """What people call it."""
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    """Permissions for `make` and `change`; `reads` and `removes` likewise."""
    removes: tuple[str, ...] = ()

    @abstractmethod
    def name(self, wanted: Properties) -> str:
        """Its name at AWS."""

    @abstractmethod
    async def read(self, aws: Aws, wanted: Properties) -> Found | None:
        """The resource as it is; None if it is not there."""

    @abstractmethod
    async def make(self, aws: Aws, wanted: Properties, tags: Tags) -> None:
        """Make it, tagged from its first moment on; it is not there. A part of another resource gets no tags."""

    async def change(self, aws: Aws, wanted: Properties) -> None:  # noqa: B027 - most have nothing to change
        """Give it what it lacks; what it has beyond that stays."""

    async def others(self, aws: Aws, wanted: Properties, ours: frozenset[str]) -> list[str]:  # noqa: ARG002 - see above
        """What would be lost with it: what others keep in it, except the parts named `ours`."""
        return []

    async def remove(self, aws: Aws, wanted: Properties) -> None:  # noqa: B027 - a part goes with its parent
        """Remove it, with its parts. If it is gone already, that is well."""


async def found(aws: Aws, service: str, operation: str, **arguments: object) -> dict[str, Any] | None:
    """An answer; None if what was asked for is not there."""
    try:
        return await aws.call(service, operation, **arguments)
    except AwsError as error:
        if error.absent:
            return None
        raise


def tag_list(tags: Tags) -> list[dict[str, str]]:
    """As most operations take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_map(tags: list[dict[str, str]] | None) -> dict[str, str]:
    """As most operations return them."""
    return {tag["Key"]: tag["Value"] for tag in tags or ()}
