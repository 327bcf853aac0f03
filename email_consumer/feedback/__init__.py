"""What comes back from SES through SNS, and from recipients: verified, understood, applied to the mail it is about."""
