"""API keys with scopes and limits; the audit log of what was done with them."""
