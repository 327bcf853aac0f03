"""The SQL of `/v1/find`. Each takes a few steps in an index, however many mails an address or a domain has."""

from email_consumer.store.mail_index import DOMAIN

_NEW = "id > (SELECT last_id FROM mail_addresses_progress)"


def _distinct(table: str, column: str, of_row: str) -> str:
    """The first values of an index of mail that has many rows for one, and of the latest mail, which is not in it yet."""
    following = f"SELECT min({column}) FROM {table} WHERE {column} < :last AND {column}"
    return f"""
WITH RECURSIVE found (value) AS (
    SELECT ({following} >= :first)
    UNION ALL
    SELECT ({following} > value) FROM found WHERE value IS NOT NULL LIMIT :limit + 1
)
SELECT value FROM found WHERE value IS NOT NULL
UNION
SELECT {of_row} AS value FROM email_requests WHERE {_NEW} AND value >= :first AND value < :last
ORDER BY 1 LIMIT :limit
"""


ADDRESSES = _distinct("mail_addresses", "address", "coalesce(address, email)")
DOMAINS = _distinct(
    "mail_domains", "domain", f"(SELECT {DOMAIN} FROM (SELECT coalesce(email_requests.address, email) AS address))"
)

TOPICS = """
SELECT topic_id FROM topics WHERE topic_id >= :first AND topic_id < :last ORDER BY topic_id LIMIT :limit
"""

# Without mail whose uuid was reused.
UUIDS = """
SELECT uuid FROM email_requests WHERE uuid >= :first AND uuid < :last AND NOT instr(uuid, char(0)) ORDER BY uuid LIMIT :limit
"""
