"""The suppression list and unsubscribe links."""
