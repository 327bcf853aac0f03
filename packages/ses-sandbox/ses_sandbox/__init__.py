"""A local stand-in for Amazon SES (and SNS): a real HTTP server that the real AWS clients talk to.

It runs as a process of its own and imports nothing of the daemon, so that neither can hide the other's mistakes.

The way of a request through the folders: `server` (composition) → `aws` (signatures, errors) → `ses` (the operations)
→ `database` (one durable commit for all that arrived together) → answer. `control` is what tests and people look at.
"""

from ses_sandbox.config import SandboxConfig
from ses_sandbox.server import serve

__all__ = ["SandboxConfig", "serve"]
