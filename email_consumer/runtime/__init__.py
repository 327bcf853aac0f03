"""The supervisor, operator errors, and small helpers around asyncio and the operating system."""
