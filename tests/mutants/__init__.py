"""Changes of the program, one at a time: the tests or the simulation must notice each of them."""
