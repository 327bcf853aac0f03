"""A stand-in for Amazon SNS with HTTP subscriptions: topics, the confirmation handshake, signed delivery."""
