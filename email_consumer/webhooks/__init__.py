"""Events as webhooks: endpoints, deliveries, and their retries, by the Standard Webhooks specification (docs/events.md)."""
