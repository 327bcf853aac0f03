"""Descriptions of models' fields, from the docstrings below them.

pydantic does the same with `use_attribute_docstrings`, but when a class is created: every start would read and parse our own
source for a document that few processes are ever asked for.
"""

import ast
import inspect
import sys
from functools import cache

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema


class DescribedSchema(GenerateJsonSchema):
    """The JSON schema of a model, with descriptions of its fields."""

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        for owner in schema["cls"].__mro__:
            if issubclass(owner, BaseModel) and owner is not BaseModel:
                for name, text in _docstrings(owner.__module__).get(owner.__qualname__, {}).items():
                    if name in described.get("properties", {}):
                        described["properties"][name].setdefault("description", text)
        return described


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """By class and field."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {each.name: _of_fields(each) for each in tree.body if isinstance(each, ast.ClassDef)}


def _of_fields(model: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in zip(model.body, model.body[1:], strict=False):
        if not (
            isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr)
        ):
            continue
        if isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            found[field.target.id] = inspect.cleandoc(below.value.value)
    return found
