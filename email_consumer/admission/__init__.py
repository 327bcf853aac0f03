"""What may hold a message back: pacing, holds, cancelled topics, suppressed recipients."""
