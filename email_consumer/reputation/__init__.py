"""Bounces and complaints by topic, tenant, lane and account: what goes too far is held before SES stops the account."""
