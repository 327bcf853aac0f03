"""Where deliveries come from: NATS JetStream, its streams, and their dead letters."""
