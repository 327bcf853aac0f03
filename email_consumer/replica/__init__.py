"""A copy of the sidecar's rows in JetStream, from which its SQLite file can be rebuilt."""
