"""What a nats-server in operator mode trusts: an operator, an account and a user, each a signed JWT.

Source of the format: https://docs.nats.io/running-a-nats-service/nats_admin/security/jwt and nats-io/jwt (v2).
"""

import base64
import hashlib
import json
import secrets
from typing import Any

import nkeys  # type: ignore[import-untyped]


def key_pair(role: int) -> Any:
    """A fresh nkey of a role such as `nkeys.PREFIX_BYTE_USER`."""
    return nkeys.from_seed(bytearray(nkeys.encode_seed(secrets.token_bytes(32), role)))


def public(pair: Any) -> str:
    text: str = pair.public_key.decode()
    return text


def seed(pair: Any) -> str:
    return bytes(pair.seed).decode()


class Identity:
    """`config` is for nats-server, `creds` the text of the user's creds file."""

    def __init__(self) -> None:
        operator, account, user = (
            key_pair(role) for role in (nkeys.PREFIX_BYTE_OPERATOR, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_USER)
        )
        unlimited = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
        system = key_pair(nkeys.PREFIX_BYTE_ACCOUNT)
        accounts = {
            public(account): _jwt(operator, public(account), "account", {"limits": unlimited | _ANY}),
            public(system): _jwt(operator, public(system), "account", {"limits": _ANY}),
        }
        operator_jwt = _jwt(operator, public(operator), "operator", {"system_account": public(system)})
        user_jwt = _jwt(account, public(user), "user", {"subs": -1, "data": -1, "payload": -1})
        preload = "\n".join(f"{name}: {jwt}" for name, jwt in accounts.items())
        self.config = f"operator: {operator_jwt}\nresolver: MEMORY\nresolver_preload {{\n{preload}\n}}"
        self.creds = (
            f"-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed(user)}\n------END USER NKEY SEED------\n"
        )


_ANY = {"subs": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "data": -1, "payload": -1, "wildcards": True}


def _jwt(issuer: Any, subject: str, kind: str, claims: dict[str, Any]) -> str:
    body = {"iat": 1_700_000_000, "iss": public(issuer), "name": kind, "sub": subject}
    body["nats"] = claims | {"type": kind, "version": 2}
    digest = hashlib.new("sha512_256", json.dumps(body, separators=(",", ":")).encode()).digest()
    body["jti"] = base64.b32encode(digest).decode().rstrip("=")
    parts = [_part({"typ": "JWT", "alg": "ed25519-nkey"}), _part(body)]
    signature = base64.urlsafe_b64encode(issuer.sign(".".join(parts).encode())).decode().rstrip("=")
    return ".".join([*parts, signature])


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")
