"""SES events received through SNS: read, deduplicated and applied to the mail they are about."""
