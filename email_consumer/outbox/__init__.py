"""Events out: every recorded outcome becomes one event that publishers can subscribe to (docs/events.md)."""
