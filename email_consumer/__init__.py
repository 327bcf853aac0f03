"""A self-hosted sender for Amazon SES: mail from NATS JetStream, none lost, none sent twice."""
