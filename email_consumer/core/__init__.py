"""Values and contracts that every package shares: outcomes, deliveries, the ledger, the queue of mail, metrics."""
