"""The base class of errors that are shown to the operator as text, without a traceback."""


class OperatorError(Exception):
    """Keeps the program from starting or continuing; the text says what is wrong and what to do about it."""
