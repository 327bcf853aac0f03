"""A local stand-in for Amazon SES (and SNS): a real HTTP server that the real AWS clients talk to.

It shares no code with the programs that are tested with it, so that neither can hide the other's mistakes.

How a request passes through the packages: `server` (composition) → `aws` (signatures, errors) → `ses` (the operations)
→ `database` (one durable commit for all that arrived together) → answer. `control` is the API for tests and the page for people.
"""

from ses_sandbox.config import SandboxConfig
from ses_sandbox.server import serve

__all__ = ["SandboxConfig", "serve"]
