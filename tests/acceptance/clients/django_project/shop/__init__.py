"""A Django project whose mail goes through email_consumer."""
