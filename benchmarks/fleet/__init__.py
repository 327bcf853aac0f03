"""Many workers: that they share one rate, stop when told, and what they and JetStream carry."""
