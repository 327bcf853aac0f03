"""The ledgers: which uuids are claimed, and with which outcome they ended. One in SQLite, one in JetStream, one rule."""
