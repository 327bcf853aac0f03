"""The operations of SES v2 that the sandbox knows."""
