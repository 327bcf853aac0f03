"""What every AWS endpoint has in common: request signatures and error answers."""
