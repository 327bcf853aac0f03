"""Many workers: that they share one rate, stop when asked to, and what they and JetStream carry."""
