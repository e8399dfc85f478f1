"""The faults: every way in which one place of a module's source is changed, one at a time.

A mutant keeps the lines of the source, so that a function of it can take the place of the one that runs. Not changed
are annotations, docstrings, decorators, defaults of parameters, the bodies of classes (fields and members of
enumerations), and the words of messages: a text with a blank in it, and the text of an f-string.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
}
CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}

Step = tuple[str, int | None]
"""A field of a node and, where it holds a list, the place in it."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: where it is, what stood there and what stands there instead."""

    scope: str
    """The function or method; of a constant of the module, its name."""
    line: int
    before: str
    after: str
    nth: int
    """Which of the faults of the same words in the same scope it is, counted from 1."""
    is_constant: bool
    tree: ast.Module
    """The whole module with the fault in it."""

    @property
    def name(self) -> str:
        """Return what it is called, in whatever line it stands."""
        again = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.scope}: {self.before} → {self.after}{again}"


def mutants(source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of the source."""
    module = ast.parse(source)
    told: dict[tuple[str, str, str], int] = {}
    for scope, node, path, is_constant in _places(module):
        for changed in _changes(node):
            tree: ast.Module = _put(module, path, changed)
            before, after = _shown(node), _shown(changed)
            words = (scope, before, after)
            told[words] = told.get(words, 0) + 1
            yield Mutant(scope, _line(node), before, after, told[words], is_constant, tree)


def _places(module: ast.Module) -> Iterator[tuple[str, Any, tuple[Step, ...], bool]]:
    """Yield each place that may be changed: its scope, the node, the way to it, and whether it is in a constant."""
    for at, statement in enumerate(module.body):
        match statement:
            case ast.FunctionDef() | ast.ClassDef():
                for scope, node, path in _in_definition(statement, "", (("body", at),)):
                    yield scope, node, path, False
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                for node, path in _walked(statement.value or statement, (("body", at), ("value", None))):
                    yield name, node, path, True


def _in_definition(
    definition: ast.FunctionDef | ast.ClassDef, outer: str, way: tuple[Step, ...]
) -> Iterator[tuple[str, Any, tuple[Step, ...]]]:
    name = f"{outer}{definition.name}"
    for at, statement in enumerate(definition.body):
        path = (*way, ("body", at))
        if isinstance(definition, ast.ClassDef):
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                yield from _in_definition(statement, f"{name}.", path)
        elif not (at == 0 and ast.get_docstring(definition) is not None):
            for node, inner in _walked(statement, path):
                yield name, node, inner


def _walked(node: ast.AST, path: tuple[Step, ...]) -> Iterator[tuple[Any, tuple[Step, ...]]]:
    """Yield a node and all below it that may be changed."""
    if isinstance(node, ast.FunctionDef):
        fields: tuple[str, ...] = ("body",)
    elif isinstance(node, ast.JoinedStr):
        return
    else:
        yield node, path
        fields = tuple(field for field in node._fields if field not in {"annotation", "format_spec"})
    for field in fields:
        below = getattr(node, field)
        for at, each in enumerate(below) if isinstance(below, list) else ((None, below),):
            if isinstance(each, ast.AST):
                yield from _walked(each, (*path, (field, at)))


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in the place of one node."""
    if isinstance(node, ast.stmt):
        yield from _other_statements(node)
    elif isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp | ast.UnaryOp):
        yield from _other_operations(node)
    else:
        yield from _other_expressions(node)


def _other_operations(node: ast.expr) -> Iterator[ast.AST]:
    match node:
        case ast.Compare():
            for at, operator in enumerate(node.ops):
                for other in COMPARED[type(operator)]:
                    yield _but(node, ops=[*node.ops[:at], other(), *node.ops[at + 1 :]])
        case ast.BinOp() if type(node.op) in CALCULATED and not _is_type(node):
            yield _but(node, op=CALCULATED[type(node.op)]())
        case ast.BoolOp():
            yield _but(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
            for at in range(len(node.values)):
                rest = [*node.values[:at], *node.values[at + 1 :]]
                yield rest[0] if len(rest) == 1 else _but(node, values=rest)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand


def _other_expressions(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Constant():
            yield from _other_constants(node)
        case ast.Call(func=ast.Name(id=called)) if called in CALLED:
            yield _but(node, func=ast.Name(CALLED[called], ast.Load()))
        case ast.IfExp() if _is_turned_here(node.test):
            yield _but(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension() if node.ifs:
            yield _but(node, ifs=[])


def _other_statements(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.If() | ast.While() if _is_turned_here(node.test):
            yield _but(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.Return(value=ast.expr()) if not _says_no(node.value):
            yield _but(node, value=ast.Constant(None))
        case ast.Expr() | ast.Raise() | ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.AugAssign():
            yield ast.Pass()
            yield _but(node, op=CALCULATED[type(node.op)]())
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()


def _other_constants(node: ast.Constant) -> Iterator[ast.Constant]:
    match node.value:
        case bool():
            yield ast.Constant(not node.value)
        case int():
            yield ast.Constant(node.value + 1)
        case str() if node.value and " " not in node.value:
            yield ast.Constant("")
        case bytes() if node.value:
            yield ast.Constant(b"")


def _is_turned_here(test: ast.expr) -> bool:
    """Return whether a condition is turned as a whole: a comparison and a negation have faults of their own."""
    return not isinstance(test, ast.Compare | ast.UnaryOp)


def _says_no(node: ast.expr | None) -> bool:
    """Return whether None in its place would say the same to whoever asks yes or no."""
    return isinstance(node, ast.Constant) and node.value in {None, False}


def _is_type(node: ast.BinOp) -> bool:
    """Return whether it is a union of types, as `isinstance` takes one: `str | int`."""
    return isinstance(node.op, ast.BitOr) and isinstance(node.right, ast.Name | ast.Attribute)


def _line(node: ast.AST) -> int:
    """Return where a node stands; of the `for` of a comprehension, where its target does."""
    return node.target.lineno if isinstance(node, ast.comprehension) else int(getattr(node, "lineno", 0))


def _but(node: Any, **changes: object) -> Any:
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


def _put(node: Any, path: tuple[Step, ...], changed: Any) -> Any:
    """Return a copy of a node in which the one at the end of a way is another; what is off the way is shared."""
    if not path:
        return changed if not hasattr(node, "lineno") else ast.fix_missing_locations(ast.copy_location(changed, node))
    (field, at), *rest = path
    below = getattr(node, field)
    if at is None:
        return _but(node, **{field: _put(below, tuple(rest), changed)})
    return _but(node, **{field: [*below[:at], _put(below[at], tuple(rest), changed), *below[at + 1 :]]})


def _shown(node: ast.AST) -> str:
    """Return the first line of a node's source, without what only a page would stumble over."""
    if isinstance(node, ast.comprehension):
        return ast.unparse(node).strip()
    text = ast.unparse(node)
    return " ".join(text.split("\n")[0].split())
