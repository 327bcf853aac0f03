"""Errors that are meant for the operator."""


class OperatorError(Exception):
    """What keeps a program from starting or going on; its text says what is wrong and what to do about it."""
