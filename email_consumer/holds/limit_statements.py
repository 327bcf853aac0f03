"""The SQL of tenants' limits, a comment per statement."""

# What a tenant has used. On another day nothing is counted yet.
USED = "SELECT iif(day = ?2, recipients, 0) AS recipients, free_at FROM tenant_limits WHERE tenant = ?1"

# Those that used most on a day.
TENANTS = "SELECT tenant FROM tenant_limits WHERE day = :day ORDER BY recipients DESC, tenant LIMIT :limit"

RELEASE = """
UPDATE email_requests SET held_by = NULL, limited_on = :day, updated_at = :now, error = iif(error LIKE 'held: %', NULL, error)
WHERE id = :id
"""

# A hold covers what waits for the limits: it waits for that first.
HOLD = "UPDATE email_requests SET held_by = :key, error = 'held: ' || :key, updated_at = :now WHERE id = :id"

COUNT = """
INSERT INTO tenant_limits (tenant, day, recipients, free_at) VALUES (:tenant, :day, :recipients, :free_at)
ON CONFLICT (tenant) DO UPDATE SET day = excluded.day, recipients = excluded.recipients, free_at = excluded.free_at
"""
