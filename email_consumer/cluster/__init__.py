"""What many workers must agree on: who shares the rate, and which mail must not be sent. All through JetStream."""
