"""Fields' docstrings as descriptions in the OpenAPI document."""

from email_consumer.web.described_schema import DescribedSchema
from email_consumer.web.routing import ApiModel


class Base(ApiModel):
    inherited: str
    """From the base."""


class Model(Base):
    plain: int
    documented: int = 0
    """A number
    over two lines.
    """
    nested: Base
    """A reference has a description too."""


def test_docstrings_describe_fields() -> None:
    fields = Model.model_json_schema(by_alias=False, schema_generator=DescribedSchema)["properties"]
    assert {name: field.get("description") for name, field in fields.items()} == {
        "inherited": "From the base.",
        "plain": None,
        "documented": "A number\nover two lines.",
        "nested": "A reference has a description too.",
    }
