"""All times in answers have one form."""

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

import email_consumer
from email_consumer.web.routing import ApiModel
from email_consumer.web.times import Moment


class Example(ApiModel):
    at: Moment


def models(of: type[ApiModel]) -> Iterator[type[ApiModel]]:
    for model in of.__subclasses__():
        yield model
        yield from models(model)


def names(datatype: Any, kind: type) -> bool:
    return datatype is kind or any(names(each, kind) for each in get_args(datatype))


def test_milliseconds_and_a_z() -> None:
    assert Example(at=1_700_000_000.123456).model_dump_json() == '{"at":"2023-11-14T22:13:20.123Z"}'
    assert Example(at=1_700_000_000).model_dump_json() == '{"at":"2023-11-14T22:13:20.000Z"}'


def test_no_model_of_the_api_has_another_form() -> None:
    for module in pkgutil.walk_packages(email_consumer.__path__, "email_consumer."):
        if module.name.rpartition(".")[2].endswith(("routes", "search", "list", "history")):
            importlib.import_module(module.name)
    found = [
        f"{model.__module__}.{model.__name__}.{name}"
        for model in models(ApiModel)
        for name, field in model.model_fields.items()
        if names(field.annotation, datetime)
    ]
    assert found == []
