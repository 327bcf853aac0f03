"""One delivery's life, in reading order: dispatcher → pipeline → gate, pacer, breaker → settlement."""
