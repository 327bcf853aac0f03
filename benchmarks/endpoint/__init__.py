"""A minimal, fast SES endpoint for measurements: it must never be what is measured."""
