"""Who gets no mail, and why; unsubscribe links."""
