"""How exactly the daemon keeps to a rate: its own, and one that only the endpoint knows."""
