"""For asynchronous tests in Python: a sandbox that starts and ends with a block, and its control routes.

Tests that are synchronous, or not in Python, start the command `ses-sandbox` and read the line it prints.
"""

from ses_sandbox.testing.control import Control
from ses_sandbox.testing.servers import SandboxProcess, SandboxTask

__all__ = ["Control", "SandboxProcess", "SandboxTask"]
