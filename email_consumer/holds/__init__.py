"""Holds: mail of an account, a lane, a tenant or a topic that waits in the store until an operator, or a rule, lets it go on."""
