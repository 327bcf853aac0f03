"""The API's verbs about streams."""

from typing import TYPE_CHECKING, Any

from tests.simulation.jetstream import errors
from tests.simulation.jetstream.info import stream_info
from tests.simulation.jetstream.stream import Stream
from tests.simulation.jetstream.stream_config import check_update, complete
from tests.simulation.jetstream.subjects import matches, overlap

if TYPE_CHECKING:
    from tests.simulation.jetstream.jetstream import JetStream

Json = dict[str, Any]

_LISTED, _NAMED, _SUBJECTS = 256, 1_024, 100_000
_UNLIMITED = (
    "max_memory",
    "max_storage",
    "max_streams",
    "max_consumers",
    "max_ack_pending",
    "memory_max_stream_bytes",
    "storage_max_stream_bytes",
)


class StreamApi:
    def __init__(self, jetstream: "JetStream") -> None:
        self._jetstream = jetstream

    def account(self, _name: str, _question: Json) -> Json:
        streams = self._jetstream.streams.values()
        return {
            "memory": 0,
            "storage": sum(stream.storage.bytes for stream in streams),
            "reserved_memory": 0,
            "reserved_storage": 0,
            "streams": len(streams),
            "consumers": sum(len(stream.consumers) for stream in streams),
            "limits": {**dict.fromkeys(_UNLIMITED, -1), "max_bytes_required": False},
            "api": {"level": 5, "total": 0, "errors": 0},
        }

    def create(self, name: str, question: Json) -> Json:
        config = complete(name, question, self._jetstream.servers)
        existing = self._jetstream.streams.get(name)
        if existing and existing.config != config:
            raise errors.name_in_use()
        if not existing:
            self._check_overlap(name, config["subjects"])
            existing = self._jetstream.add_stream(config)
        return self._described(existing) | {"did_create": True}

    def update(self, name: str, question: Json) -> Json:
        stream = self._jetstream.stream(name)
        config = complete(name, question, self._jetstream.servers)
        check_update(stream.config, config)
        self._check_overlap(name, config["subjects"])
        stream.configure(config)
        self._jetstream.subjects_changed()
        return self._described(stream)

    def info(self, name: str, question: Json) -> Json:
        stream = self._jetstream.stream(name)
        pattern = question.get("subjects_filter") or ""
        found = stream_info(
            stream, self._jetstream.now, subjects=pattern, deleted=bool(question.get("deleted_details"))
        )
        total = len(found["state"].get("subjects", ())) if pattern else 0
        page = {"total": total, "offset": question.get("offset", 0), "limit": _SUBJECTS if pattern else 0}
        return page | found | {"cluster": {"leader": self._jetstream.server_name}}

    def listed(self, _name: str, question: Json) -> Json:
        names = self._names(question)
        offset = question.get("offset", 0)
        page = [self._described(self._jetstream.streams[name]) for name in names[offset : offset + _LISTED]]
        return {"total": len(names), "offset": offset, "limit": _LISTED, "streams": page}

    def names(self, _name: str, question: Json) -> Json:
        names = self._names(question)
        return {"total": len(names), "offset": 0, "limit": _NAMED, "streams": names or None}

    def delete(self, name: str, _question: Json) -> Json:
        self._jetstream.delete_stream(self._jetstream.stream(name))
        return {"success": True}

    def purge(self, name: str, question: Json) -> Json:
        stream = self._jetstream.stream(name)
        if stream.config["deny_purge"]:
            raise errors.ApiError(500, 10110, "stream purge not permitted")
        before, keep = question.get("seq", 0), question.get("keep", 0)
        if before and keep:
            raise errors.bad_request()
        purged = stream.purge(question.get("filter") or ">", before=before, keep=keep)
        return {"success": True, "purged": purged}

    def _described(self, stream: Stream) -> Json:
        return stream_info(stream, self._jetstream.now)

    def _names(self, question: Json) -> list[str]:
        wanted = question.get("subject")
        return sorted(
            name
            for name, stream in self._jetstream.streams.items()
            if not wanted or any(matches(each, wanted) or overlap(each, wanted) for each in stream.config["subjects"])
        )

    def _check_overlap(self, name: str, subjects: list[str]) -> None:
        for other, stream in self._jetstream.streams.items():
            if other != name and any(overlap(a, b) for a in subjects for b in stream.config["subjects"]):
                raise errors.ApiError(400, 10065, "subjects overlap with an existing stream")
