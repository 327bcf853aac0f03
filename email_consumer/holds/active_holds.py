"""The active holds, as the process that sends knows them. Asked for each mail, so it answers from memory."""

from collections.abc import Callable, Mapping

from email_consumer.holds.keys import keys_of
from email_consumer.message.model import EmailMessage


class ActiveHolds:
    """False while nothing is held."""

    def __init__(self) -> None:
        self._keys: Mapping[str, bool] = {}
        """By key, whether transactional mail is held as well."""
        self._listeners: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self._keys)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change: mail that passed earlier may still be waiting for its turn."""
        self._listeners.append(listener)

    def replace(self, keys: Mapping[str, bool]) -> None:
        """From now on exactly these are active. The values: whether transactional mail is held as well."""
        self._keys = dict(keys)
        for listener in self._listeners:
            listener()

    def covering(self, message: EmailMessage) -> str | None:
        """The key of a hold that the mail has to wait for; None if it may go on."""
        return self.covering_mail(message.topic_id, message.tenant, bulk=message.is_bulk)

    def covering_mail(self, topic_id: str | None, tenant: str | None, *, bulk: bool) -> str | None:
        """The same for a mail of which only this is known."""
        for key in keys_of(topic_id, tenant, bulk=bulk):
            if (both_lanes := self._keys.get(key)) is not None and (both_lanes or bulk):
                return key
        return None
