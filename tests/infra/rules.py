"""The rules that Terraform files are held to without a network: the provider's own schema, and no dangling name.

Each rule is a function from the configuration and the schema to the faults that it sees, each fault one sentence with its
place. `RULES` is all of them, in the order in which one would want to read their faults.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lark import Token, Tree

from tests.infra.terraform import Block, Configuration, Expression, Reference

Schema = dict[str, Any]
Rule = Callable[[Configuration, Schema], Iterator[str]]

META_ATTRIBUTES = frozenset({"for_each", "count", "depends_on", "provider"})
META_BLOCKS = frozenset({"lifecycle", "dynamic"})
FUNCTIONS = frozenset(
    {
        "alltrue",
        "base64encode",
        "can",
        "concat",
        "contains",
        "file",
        "floor",
        "join",
        "jsondecode",
        "jsonencode",
        "keys",
        "length",
        "merge",
        "regex",
        "replace",
        "setsubtract",
        "sort",
        "toset",
        "tostring",
        "upper",
        "values",
    }
)
"""Those of Terraform's functions that are in use; a new one is added after a look at its documentation."""


def load_schema(path: Path) -> Schema:
    """Return the committed summary of the provider's schema (scripts/extract_provider_schema.py writes it)."""
    schema: Schema = json.loads(path.read_text(encoding="utf-8"))
    return schema


def faults(configuration: Configuration, schema: Schema) -> list[str]:
    """Return what every rule finds."""
    return [fault for rule in RULES for fault in rule(configuration, schema)]


def known_types(configuration: Configuration, schema: Schema) -> Iterator[str]:
    """Every resource and data source is a type that the provider has."""
    for block in _typed(configuration):
        if block.labels[0] not in schema[block.kind]:
            yield f"{block.file}: {block.labels[0]} is no {block.kind} of the provider's schema summary"


def written_attributes(configuration: Configuration, schema: Schema) -> Iterator[str]:
    """Every attribute and block that is written exists, every required one is written, single blocks stand once."""
    for block in _typed(configuration):
        if summary := schema[block.kind].get(block.labels[0]):
            yield from _against(block, summary, block.address, f"{block.file}: {block.address}")


def references(configuration: Configuration, schema: Schema) -> Iterator[str]:
    """Every name that is pointed at is declared, and every attribute that is read exists."""
    for block, expression, iterators in _expressions(configuration):
        for reference in expression.references:
            if reference.root not in iterators and (fault := _dangling(reference, block, configuration, schema)):
                yield f"{block.file}: {block.address} points at {reference}: {fault}"


def no_idle_names(configuration: Configuration, schema: Schema) -> Iterator[str]:  # noqa: ARG001  all rules look alike
    """Every variable and local is used: configuration that nothing reads is a promise that nothing keeps."""
    used = {
        reference.parts[:2] for _, expression, _ in _expressions(configuration) for reference in expression.references
    }
    for name in sorted(configuration.variables):
        if ("var", name) not in used:
            yield f"variable {name} is never read"
    for name in sorted(configuration.locals):
        if ("local", name) not in used:
            yield f"local {name} is never read"


def known_functions(configuration: Configuration, schema: Schema) -> Iterator[str]:  # noqa: ARG001  all rules look alike
    """Every function that is called is one of Terraform's."""
    for block, expression, _ in _expressions(configuration):
        for call in _calls(expression.tree):
            if call not in FUNCTIONS:
                yield f"{block.file}: {block.address} calls {call}(), which is not among the functions in use"


RULES: tuple[Rule, ...] = (known_types, written_attributes, references, no_idle_names, known_functions)


def _typed(configuration: Configuration) -> list[Block]:
    return [*configuration.of_kind("resource"), *configuration.of_kind("data")]


def _against(block: Block, summary: Schema, address: str, place: str) -> Iterator[str]:
    outermost = block.kind in ("resource", "data")
    dynamic = {each.labels[0]: each.inside("content")[0] for each in block.inside("dynamic")}
    for name, expression in block.attributes.items():
        if name in summary["attributes"]:
            yield from _shape_fault(expression, summary["attributes"][name], f"{place}: {name}")
        elif not (outermost and name in META_ATTRIBUTES):
            yield f"{place} has no attribute {name}" + (" (it is a block)" if name in summary["blocks"] else "")
    for name in sorted({each.kind for each in block.blocks} - META_BLOCKS | dynamic.keys()):
        if name not in summary["blocks"]:
            yield f"{place} has no block {name}" + (" (it is an attribute)" if name in summary["attributes"] else "")
            continue
        nested = [*block.inside(name), *([dynamic[name]] if name in dynamic else [])]
        if len(nested) > 1 and not summary["blocks"][name]["many"]:
            yield f"{place}: block {name} may stand once and stands {len(nested)} times"
        for each in nested:
            yield from _against(each, summary["blocks"][name], f"{address}.{name}", f"{place}.{name}")
    for name in summary["required"]:
        if name not in block.attributes and not block.inside(name) and name not in dynamic:
            yield f"{place} lacks {name}, which is required"


def _shape_fault(expression: Expression, declared: str, place: str) -> Iterator[str]:
    wanted = {"list": "list", "map": "map", "object": "map"}.get(declared, "scalar")
    if expression.shape is not None and expression.shape != wanted and expression.text != "null":
        yield f"{place} is a {declared}, and a {expression.shape} is written"


def _expressions(configuration: Configuration) -> Iterator[tuple[Block, Expression, frozenset[str]]]:
    """Yield every expression with its outermost block and the iterators of the dynamic blocks around it."""
    for block in configuration.blocks:
        yield from _expressions_in(block, block, frozenset())


def _expressions_in(
    block: Block, outermost: Block, iterators: frozenset[str]
) -> Iterator[tuple[Block, Expression, frozenset[str]]]:
    for name, expression in block.attributes.items():
        # A variable's type is written in words of its own; ignore_changes names attributes of the block around it.
        if (outermost.kind, name) != ("variable", "type") and name != "ignore_changes":
            yield outermost, expression, iterators
    inner = iterators | {block.labels[0]} if block.kind == "dynamic" else iterators
    for each in block.blocks:
        yield from _expressions_in(each, outermost, inner)


def _dangling(reference: Reference, block: Block, configuration: Configuration, schema: Schema) -> str | None:
    """Return why nothing is there, or None if something is."""
    match reference.parts:
        case ("var", name, *_):
            why = None if name in configuration.variables else "there is no such variable"
        case ("local", name, *_):
            why = None if name in configuration.locals else "there is no such local"
        case ("each", "key" | "value", *_):
            why = None if "for_each" in block.attributes else "the block has no for_each"
        case ("path", "module" | "root" | "cwd"):
            why = None
        case ("data", type_, name, *steps):
            why = _unreadable(configuration.data.get((type_, name)), steps, schema)
        case (type_, name, *steps):
            why = _unreadable(configuration.resources.get((type_, name)), steps, schema)
        case _:
            why = "it is no variable, local or resource"
    return why


def _unreadable(target: Block | None, steps: list[str], schema: Schema) -> str | None:
    """Return why nothing can be read from a resource or data source by these steps, or None if something can."""
    if target is None:
        return "it is not declared"
    repeated = "for_each" in target.attributes or "count" in target.attributes
    if steps and repeated != steps[0].startswith("["):
        return "it is one of many and needs a key" if repeated else "there is only one, it takes no key"
    named = [step for step in steps if not step.startswith("[")]
    summary = schema[target.kind].get(target.labels[0])
    if not named or summary is None:
        return None
    readable = {*summary["readable"], *summary["attributes"], *summary["blocks"]}
    return None if named[0] in readable else f"{target.labels[0]} has nothing named {named[0]} to read"


def _calls(tree: Tree[Token] | Token) -> Iterator[str]:
    if isinstance(tree, Tree):
        for call in tree.find_data("function_call"):
            name = call.children[0]
            yield str(name.children[0]) if isinstance(name, Tree) else str(name)
