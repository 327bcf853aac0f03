"""The errors that JetStream answers with, in its own words."""

from typing import Any


class ApiError(Exception):
    """Answered to who asked."""

    def __init__(self, code: int, err_code: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.err_code = err_code
        self.description = description

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "err_code": self.err_code, "description": self.description}


def bad_request() -> ApiError:
    return ApiError(400, 10003, "bad request")


def unavailable() -> ApiError:
    return ApiError(503, 10008, "JetStream system temporarily unavailable")


def no_consumer() -> ApiError:
    return ApiError(404, 10014, "consumer not found")


def no_message() -> ApiError:
    return ApiError(404, 10037, "no message found")


def no_stream() -> ApiError:
    return ApiError(404, 10059, "stream not found")


def bad_stream(description: str) -> ApiError:
    return ApiError(500, 10052, description)


def name_in_use() -> ApiError:
    return ApiError(400, 10058, "stream name already in use with a different configuration")


def wrong_sequence(last: int) -> ApiError:
    return ApiError(400, 10071, f"wrong last sequence: {last}")


def not_stored(description: str) -> ApiError:
    return ApiError(503, 10077, description)
