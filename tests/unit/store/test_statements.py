"""SQL has one home a package, and takes status codes from `Status`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import email_consumer

PACKAGE = Path(email_consumer.__file__).parent

HOMES = {
    "api/find_statements.py",
    "api/statements.py",
    "api/waiting_statements.py",
    "dashboard/statements.py",
    "feedback/statements.py",
    "holds/limit_statements.py",
    "holds/ramp_statements.py",
    "holds/statements.py",
    "ledgers/jetstream/statements.py",
    "ledgers/statements.py",
    "outbox/statements.py",
    "reputation/statements.py",
    "scheduling/statements.py",
    "suppression/statements.py",
    "webhooks/statements.py",
    # One table each.
    "access/audit_log.py",
    "access/keys.py",
    "store/activity.py",
    "store/domain_days.py",
    "store/mail_index.py",
    "store/contents.py",
    "store/event_retention.py",
    "store/key_values.py",
    "store/mail_state.py",
    "store/retention.py",
    "store/tenant_days.py",
    "tracking/opens.py",
    # All tables, whichever they are: the SQL is made from the schema.
    "replica/begun_copy.py",
    "replica/capture.py",
    "replica/new_file.py",
    "replica/progress.py",
    "store/addresses.py",
    "store/erasure_statements.py",
    "store/result_sums.py",
}

QUERY = re.compile(r"\b(SELECT\b.*\bFROM|INSERT (OR \w+ )?INTO|UPDATE \w+ SET|DELETE FROM) ", re.DOTALL)
BARE_STATUS = re.compile(r"\bstatus *(?:=|<>|!=|<=|>=|<|>|IN) *\(?\d")


def texts(path: Path) -> Iterator[str]:
    """All strings of a module but docstrings, with a blank for what an f-string is filled with."""
    tree = ast.parse(path.read_text())
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts | docstrings:
            yield node.value


def test_sql_is_at_home() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(QUERY.search(text) for text in texts(path))
    }
    assert found == HOMES


def test_no_status_is_a_bare_number() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}: {bare[0]}"
        for path in PACKAGE.rglob("*.py")
        for text in texts(path)
        if (bare := BARE_STATUS.search(text))
    ]
    assert found == []
