"""The OpenAPI document; tests/acceptance/sidecar makes up requests from it."""

from openapi_spec_validator import validate

from tests.integration.api.harness import ApiHarness


async def test_the_document_is_valid_and_names_every_route(harness: ApiHarness) -> None:
    _, document = await harness.ask("GET", "/openapi.json")
    validate(document)
    assert {(method.upper(), path) for path, item in document["paths"].items() for method in item} == {
        ("GET", "/v1/messages"),
        ("POST", "/v1/messages"),
        ("GET", "/v1/messages.csv"),
        ("GET", "/v1/messages.ndjson"),
        ("GET", "/v1/messages/{uuid}"),
        ("GET", "/v1/topics/{topic_id}"),
        ("DELETE", "/v1/topics/{topic_id}"),
        ("GET", "/v1/events/counts/sent"),
        ("GET", "/v1/events/open"),
        ("GET", "/v1/results/sent"),
        ("GET", "/v1/results/count/{plan_id}"),
        ("GET", "/v1/dead-letters"),
        ("POST", "/v1/dead-letters/replay"),
        ("POST", "/v1/dead-letters/remove"),
        ("GET", "/v1/dead-letters/{sequence}"),
        ("DELETE", "/v1/dead-letters/{sequence}"),
        ("POST", "/v1/dead-letters/{sequence}/replay"),
        ("GET", "/health"),
        ("GET", "/ready"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
    }
    operations = [(path, one) for path, item in document["paths"].items() for one in item.values()]
    assert {path for path, one in operations if one.get("security") == []} == {"/health", "/ready", "/v1/events/open"}
    named = [one["operationId"] for _, one in operations]
    assert len(set(named)) == len(named)
    assert all(name.isidentifier() for name in named)
    assert {"messages_create", "topics_cancel", "dead_letters_replay", "service_ready"} <= set(named)
    assert all(len(one["tags"]) == 1 and one["summary"] for _, one in operations)
    described = [each for _, one in operations for each in one["parameters"] if each["in"] == "query"]
    assert all(each["description"] for each in described), [each["name"] for each in described]
