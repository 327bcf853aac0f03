"""The AWS side of an installation: planned, made and removed from one description, which the templates in deploy/aws come from too."""
