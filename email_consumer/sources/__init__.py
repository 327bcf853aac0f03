"""Where deliveries come from: NATS JetStream, its streams, and the dead letters beside them."""
