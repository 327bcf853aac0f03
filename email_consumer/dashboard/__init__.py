"""The operators' page: access, live numbers, and the lists it links to."""
