"""Small helpers around asyncio and the machine."""
