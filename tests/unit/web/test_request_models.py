"""A field that a request misspells is refused: a misspelled limit would be none, a misspelled filter everything."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module

from pydantic import BaseModel

import email_consumer
from email_consumer.web.routing import Operation, operation_of

LENIENT = {
    "NewMessages",  # names its unknown keys in `warnings`
    "SnsMessage",  # SNS may add fields
    "OpenQuery",  # mail clients and proxies add parameters
    "Hours",  # of earlier services
    "UnsubscribeForm",  # of mail clients (RFC 8058)
}


def _operations() -> Iterator[Operation]:
    for module in pkgutil.walk_packages(email_consumer.__path__, "email_consumer."):
        if module.name.endswith("routes") or module.name.endswith("topic_list"):
            for _, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
                for _, handler in inspect.getmembers(kind, inspect.isfunction):
                    if found := operation_of(handler):
                        yield found


def test_unknown_fields_are_refused() -> None:
    models = {model for each in _operations() for model in (each.body, each.query) if model}
    strict = {model.__name__ for model in models if _is_strict(model)}
    assert len(strict) > 15
    assert {model.__name__ for model in models} - strict == LENIENT


def _is_strict(model: type[BaseModel]) -> bool:
    return model.model_config.get("extra") == "forbid"
