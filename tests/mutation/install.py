"""Putting a mutant in the place of the code that runs, inside one process that is thrown away afterwards."""

import ast
import functools
import gc
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType

from tests.mutation.faults import Mutant

_CACHED = type(functools.cache(int))


class NotInstalledError(Exception):
    """A mutant has found nothing to take the place of."""


def install(mutant: Mutant, module: ModuleType) -> None:
    """Let every function of the module run as the mutant says, wherever it was imported to, and forget what is cached.

    Raises NotInstalledError where no code that runs is any different.
    """
    if mutant.is_constant:
        _set_constant(mutant, module)
    else:
        _swap_code(mutant, module)
    for each in gc.get_objects():
        if isinstance(each, _CACHED) and str(each.__module__).startswith("shared."):
            each.cache_clear()


def _swap_code(mutant: Mutant, module: ModuleType) -> None:
    place = str(module.__file__)
    wanted = {(code.co_qualname, code.co_firstlineno): code for code in _codes(compile(mutant.tree, place, "exec"))}
    swapped = 0
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename == place:
            code = wanted.get((each.__code__.co_qualname, each.__code__.co_firstlineno))
            if code is not None and code != each.__code__ and code.co_freevars == each.__code__.co_freevars:
                each.__code__ = code
                swapped += 1
    if not swapped:
        raise NotInstalledError(f"{mutant.name} changes no function of {module.__name__}")


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def _set_constant(mutant: Mutant, module: ModuleType) -> None:
    expression = next(
        statement.value
        for statement in mutant.tree.body
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value and _name(statement) == mutant.scope
    )
    sound = vars(module)[mutant.scope]
    changed = eval(compile(ast.Expression(expression), str(module.__file__), "eval"), vars(module))  # noqa: S307  our own source with one fault in it
    for each in list(sys.modules.values()):
        if vars(each).get(mutant.scope) is sound:
            setattr(each, mutant.scope, changed)


def _name(statement: ast.Assign | ast.AnnAssign) -> str:
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    return target.id if isinstance(target, ast.Name) else ""
