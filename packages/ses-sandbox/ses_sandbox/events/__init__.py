"""The SES events that accepted mail causes, as a configuration set's event destination publishes them."""
