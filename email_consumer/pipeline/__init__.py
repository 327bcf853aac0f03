"""One delivery's life: dispatcher, pipeline, gate, pacer, breaker, settlement."""
