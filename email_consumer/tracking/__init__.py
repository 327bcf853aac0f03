"""Opens: a pixel with a signed token in each tracked mail, and what is recorded when it is fetched."""
