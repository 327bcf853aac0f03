"""Puts a change into effect in this process: no file is written, and nothing is imported again."""

import gc
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

from tests.mutants.changes import Mutant

Place = tuple[str, int]
"""A function's qualified name and its first line."""


class Functions:
    """The functions of this process, by the file that they come from."""

    def __init__(self) -> None:
        gc.unfreeze()  # what is frozen isn't listed
        self._found: defaultdict[Path, list[FunctionType]] = defaultdict(list)
        for each in gc.get_objects():
            if isinstance(each, FunctionType) and each.__code__.co_qualname.rpartition(".")[2] != "<lambda>":
                self._found[Path(each.__code__.co_filename)].append(each)
        gc.freeze()

    def change(self, mutant: Mutant) -> bool:
        """Let them do what the changed module says. False if nothing that runs is different."""
        codes = dict(_codes(mutant.compiled()))
        changed = False
        for function in self._found[mutant.path.absolute()]:
            code = codes.get(_place(function.__code__))
            if code is not None and code != function.__code__:
                function.__code__ = code
                changed = True
        return changed


def _codes(code: CodeType) -> Iterator[tuple[Place, CodeType]]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield _place(each), each
            yield from _codes(each)


def _place(code: CodeType) -> Place:
    return code.co_qualname, code.co_firstlineno
