"""What every HTTP route shares: the application, keys, errors, OpenAPI, health."""
