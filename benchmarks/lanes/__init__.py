"""How long transactional mail waits while bulk mail is queued, and what bulk mail keeps while transactional mail is."""
