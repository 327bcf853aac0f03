"""All changes of a module's functions: each comparison, boolean and arithmetic operator changed, each statement left out."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_SIMPLE = (
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.Delete,
    ast.Return,
    ast.Raise,
    ast.Expr,
    ast.Break,
    ast.Continue,
)
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change."""

    path: Path
    function: str
    """Its qualified name."""
    line: int
    lines: range
    """A test that executes none of them can't notice the change."""
    before: str
    after: str
    number: int
    """Its place among the changes of the module."""

    @property
    def name(self) -> str:
        """What identifies it while other code of the module changes."""
        return f"{self.path.as_posix()} {self.function}: {self.before} -> {self.after or 'left out'}"

    def __str__(self) -> str:
        return f"{self.path.as_posix()}:{self.line} {self.function}: {self.before} -> {self.after or 'left out'}"

    def compiled(self) -> CodeType:
        """The module with the change."""
        tree = ast.parse(self.path.read_bytes())
        for change in _changes(tree):
            if change.number == self.number:
                change.apply()
        return compile(ast.fix_missing_locations(tree), str(self.path.absolute()), "exec", dont_inherit=True)


def mutants(path: Path) -> Iterator[Mutant]:
    """Every change of a module, from top to bottom.

    What runs at import (constants, defaults, annotations) stays, and so does what only logs.
    """
    for change in _changes(ast.parse(path.read_bytes())):
        before, node = ast.unparse(change.node), change.node
        change.apply()
        after = ast.unparse(change.replacement) if change.replacement else ""
        yield Mutant(
            path,
            change.function,
            node.lineno,
            range(change.spans.lineno, (change.spans.end_lineno or change.spans.lineno) + 1),
            _short(before),
            _short(after),
            change.number,
        )
        change.undo()


class _Change:
    """How a tree is changed, and changed back."""

    def __init__(self, function: str, node: ast.expr | ast.stmt, spans: ast.expr | ast.stmt) -> None:
        self.function = function
        self.node = node
        self.spans = spans
        self.replacement: ast.AST | None = node
        """What stands in the node's place; None for a statement that is left out."""
        self.number = 0

    def apply(self) -> None:
        raise NotImplementedError

    def undo(self) -> None:
        self.apply()


class _Operator(_Change):
    """Another operator in its place."""

    def __init__(self, function: str, node: ast.expr | ast.stmt, spans: ast.expr | ast.stmt, place: int | None) -> None:
        super().__init__(function, node, spans)
        self._place = place
        self._original = self._get()
        self._other = _OPERATORS[type(self._original)]()

    def apply(self) -> None:
        self._put(self._other)

    def undo(self) -> None:
        self._put(self._original)

    def _get(self) -> ast.AST:
        return self.node.op if self._place is None else self.node.ops[self._place]  # type: ignore[union-attr,no-any-return]

    def _put(self, operator: ast.AST) -> None:
        if self._place is None:
            self.node.op = operator  # type: ignore[union-attr]
        else:
            self.node.ops[self._place] = operator  # type: ignore[union-attr]


class _Sign(_Change):
    """`not x` and `-x` become `x`."""

    def __init__(self, function: str, node: ast.UnaryOp, spans: ast.expr | ast.stmt, parent: ast.AST) -> None:
        super().__init__(function, node, spans)
        self.replacement = node.operand
        self._parent = parent

    def apply(self) -> None:
        _replace(self._parent, self.node, self.node.operand)  # type: ignore[union-attr]

    def undo(self) -> None:
        _replace(self._parent, self.node.operand, self.node)  # type: ignore[union-attr]


class _LeftOut(_Change):
    """The statement is there and never executed, so that the function's variables stay what they are."""

    def __init__(self, function: str, node: ast.stmt, body: list[ast.stmt]) -> None:
        super().__init__(function, node, node)
        self.replacement = None
        self._body, self._statement = body, node
        self._place = body.index(node)

    def apply(self) -> None:
        never = ast.If(ast.Constant(0), [self._statement], [])
        self._body[self._place] = ast.copy_location(never, self._statement)

    def undo(self) -> None:
        self._body[self._place] = self._statement


def _changes(tree: ast.Module) -> Iterator[_Change]:
    for number, change in enumerate(_in_scope(tree, "")):
        change.number = number
        yield change


def _in_scope(scope: ast.AST, prefix: str) -> Iterator[_Change]:
    for node in list(ast.iter_child_nodes(scope)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _in_statements(node.body, prefix + node.name, last=True)
        elif isinstance(node, ast.ClassDef):
            yield from _in_scope(node, f"{prefix}{node.name}.")


def _in_statements(body: list[ast.stmt], function: str, *, last: bool = False) -> Iterator[_Change]:
    """`last`: the function ends after them."""
    for node in list(body):
        if _only_says(node) or (last and node is body[-1] and _returns_nothing(node)):
            continue
        if isinstance(node, _SIMPLE):
            yield _LeftOut(function, node, body)
            yield from _in_expressions(node, function, node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _in_statements(node.body, f"{function}.{node.name}", last=True)
        else:
            yield from _in_compound(node, function)


def _in_compound(node: ast.AST, function: str) -> Iterator[_Change]:
    for _name, value in ast.iter_fields(node):
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            yield from _in_statements(value, function)
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.expr):
                yield from _in_expressions(child, function, child, parent=node)
            elif isinstance(child, (ast.match_case, ast.ExceptHandler, ast.withitem)):
                yield from _in_compound(child, function)


def _in_expressions(
    node: ast.AST, function: str, spans: ast.expr | ast.stmt, parent: ast.AST | None = None
) -> Iterator[_Change]:
    if isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)) and type(node.op) in _OPERATORS:
        yield _Operator(function, node, spans, None)
    elif isinstance(node, ast.Compare):
        for place, _operator in enumerate(node.ops):
            yield _Operator(function, node, spans, place)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)) and parent is not None:
        yield _Sign(function, node, spans, parent)
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and name != "annotation":
                yield from _in_expressions(child, function, spans, node)


def _replace(parent: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for name, value in ast.iter_fields(parent):
        if value is old:
            setattr(parent, name, new)
        elif isinstance(value, list) and any(each is old for each in value):
            value[:] = [new if each is old else each for each in value]


def _returns_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return) and (node.value is None or ast.unparse(node.value) == "None")


def _only_says(node: ast.stmt) -> bool:
    """A docstring, an ellipsis, or a call of the log."""
    if not isinstance(node, ast.Expr):
        return isinstance(node, ast.Pass)
    return isinstance(node.value, ast.Constant) or ast.unparse(node.value).startswith("_log.")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
