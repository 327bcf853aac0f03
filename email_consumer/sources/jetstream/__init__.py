"""Deliveries from a JetStream pull consumer."""
