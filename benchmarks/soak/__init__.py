"""Hours of everything at once, with kills: what leaks, what grows, what is lost or sent twice."""
