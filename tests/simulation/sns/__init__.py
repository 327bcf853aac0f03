"""A model of SES's event publishing: what happens to accepted mail, and how SNS delivers word of it."""
