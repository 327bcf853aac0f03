"""Mail for later: found when due, published no faster than the queue drains."""
