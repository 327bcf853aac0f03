"""What the models must have in common with the real servers: each test runs against both."""
