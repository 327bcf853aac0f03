"""A simulated world: the program's real code under virtual time, with faults that a seed decides."""
