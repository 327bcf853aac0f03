"""Open tracking: a pixel with a signed token in tracked mail, and the opens recorded when it is loaded."""
