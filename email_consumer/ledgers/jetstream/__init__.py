"""The ledger for many workers: claims in a KV bucket, outcomes in a stream that the sidecar projects into SQLite."""
