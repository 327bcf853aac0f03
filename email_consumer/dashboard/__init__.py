"""The page that operators look at: who may see it, what it shows live, and the lists behind it."""
