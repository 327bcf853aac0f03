"""Our layer over nats-py: the connection, publishing, key-value buckets."""
