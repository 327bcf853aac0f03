"""One message: its fields and their limits, and how it is read from the wire."""
