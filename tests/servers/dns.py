"""A DNS server on loopback, over UDP, whose records a test sets."""

import asyncio
from typing import Self, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class DnsServer:
    """`async with DnsServer() as server:` answers at `server.address` until the block ends."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        """By name and type, as in a zone file."""
        self.queries = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Protocol(self), local_addr=("127.0.0.1", 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()

    @property
    def address(self) -> str:
        host, port = self._transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def answer(self, wire: bytes) -> bytes:
        """The answer to a query: its records, or that there is no such name."""
        self.queries += 1
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, type_ = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        response = dns.message.make_response(query)
        if found := self.records.get((name, type_)):
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", type_, *found))
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return bytes(response.to_wire())


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self._server.answer(data), addr)
