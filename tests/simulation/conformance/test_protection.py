"""What an operator can't do to a stream by mistake."""

from tests.simulation.conformance.site import Run, Site
from tests.simulation.conformance.test_management import ask, error


def test_a_protected_stream_is_not_emptied(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        guarded = {"name": "s", "subjects": ["s.*"], "deny_delete": True, "deny_purge": True, "allow_msg_ttl": True}
        await ask(client, "STREAM.CREATE.s", guarded)
        await client.jetstream().publish("s.a", b"1")
        assert await error(client, "STREAM.PURGE.s") == (500, 10110, "stream purge not permitted")
        deletion = await error(client, "STREAM.MSG.DELETE.s", {"seq": 1})
        assert deletion == (500, 10057, "message delete not permitted")
        prefix = "stream configuration update can not cancel"
        for name, text in (("deny_delete", f"{prefix} deny message deletes"), ("deny_purge", f"{prefix} deny purge")):
            assert await error(client, "STREAM.UPDATE.s", guarded | {name: False}) == (500, 10052, text)
        assert "error" in await ask(client, "STREAM.UPDATE.s", guarded | {"allow_msg_ttl": False})
        assert (await ask(client, "STREAM.DELETE.s"))["success"]

    run(body)
