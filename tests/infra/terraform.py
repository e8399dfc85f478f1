"""Reads Terraform files into blocks, attributes and references, as far as the rules of this folder need it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import hcl2
from lark import Token, Tree

_CHAINS = ("get_attr_expr_term", "index_expr_term", "full_splat_expr_term", "attr_splat_expr_term")
_SHAPES = {
    "tuple": "list",
    "for_tuple_expr": "list",
    "object": "map",
    "for_object_expr": "map",
    "string": "scalar",
    "int_lit": "scalar",
    "float_lit": "scalar",
    "literal_value": "scalar",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that an expression points at: its root and the steps after it; an index is a step in brackets."""

    parts: tuple[str, ...]

    @property
    def root(self) -> str:
        """Return what kind of thing is pointed at: var, local, data, each, path, or a resource type."""
        return self.parts[0]

    def __str__(self) -> str:
        """Return the reference as it is written."""
        return "".join(part if part.startswith("[") else f".{part}" for part in self.parts).removeprefix(".")


@dataclass(frozen=True)
class Expression:
    """The right-hand side of an attribute."""

    tree: Tree[Token] | Token

    @cached_property
    def text(self) -> str:
        """Return the expression as written, without the space between its tokens."""
        return _text(self.tree)

    @cached_property
    def references(self) -> list[Reference]:
        """Return every name pointed at, inside templates too; names that a for expression binds are not among them."""
        return list(_references(self.tree, frozenset()))

    @property
    def shape(self) -> str | None:
        """Return list, map or scalar where that can be seen, None where it takes an evaluation."""
        node = self.tree
        while isinstance(node, Tree) and node.data == "expr_term" and len(_children(node)) == 1:
            node = _children(node)[0]
        return _SHAPES.get(str(node.data)) if isinstance(node, Tree) else None

    @property
    def literal(self) -> str | None:
        """Return the value of a plain string, None for anything else."""
        plain = re.fullmatch(r'"([^"$]*)"', self.text)
        return plain[1] if plain else None

    @property
    def literals(self) -> list[str]:
        """Return every plain string in the expression."""
        return re.findall(r'"([^"$]*)"', self.text)


@dataclass(frozen=True)
class Block:
    """A block: its kind and labels, its attributes, the blocks inside it, and the file that it stands in."""

    kind: str
    labels: tuple[str, ...]
    attributes: Mapping[str, Expression]
    blocks: tuple["Block", ...]
    file: str

    @property
    def address(self) -> str:
        """Return how Terraform would name it."""
        return ".".join(self.labels if self.kind == "resource" else (self.kind, *self.labels))

    def inside(self, kind: str) -> list["Block"]:
        """Return the blocks of a kind directly inside."""
        return [each for each in self.blocks if each.kind == kind]

    def everything(self) -> Iterator["Block"]:
        """Yield this block and all blocks inside it."""
        yield self
        for each in self.blocks:
            yield from each.everything()


@dataclass(frozen=True)
class Configuration:
    """All Terraform files of a folder."""

    blocks: tuple[Block, ...]
    variables: frozenset[str] = field(init=False)
    locals: Mapping[str, Expression] = field(init=False)
    resources: Mapping[tuple[str, str], Block] = field(init=False)
    data: Mapping[tuple[str, str], Block] = field(init=False)

    def __post_init__(self) -> None:
        """Index what is declared, and refuse what is declared twice."""
        locals_: dict[str, Expression] = {}
        for block in self.of_kind("locals"):
            if twice := locals_.keys() & block.attributes.keys():
                raise ValueError(f"{block.file}: local {min(twice)} is declared twice")
            locals_.update(block.attributes)
        object.__setattr__(self, "locals", locals_)
        object.__setattr__(self, "variables", frozenset(self._by_labels("variable", 1)))
        object.__setattr__(self, "resources", self._by_labels("resource", 2))
        object.__setattr__(self, "data", self._by_labels("data", 2))

    @classmethod
    def of(cls, folder: Path) -> "Configuration":
        """Read every .tf file of a folder."""
        return cls(tuple(block for path in sorted(folder.glob("*.tf")) for block in parse(path.read_text(), path.name)))

    def of_kind(self, kind: str) -> list[Block]:
        """Return the outermost blocks of a kind."""
        return [block for block in self.blocks if block.kind == kind]

    def _by_labels(self, kind: str, count: int) -> dict[object, Block]:
        found: dict[object, Block] = {}
        for block in self.of_kind(kind):
            key: object = block.labels[0] if count == 1 else block.labels
            if key in found:
                raise ValueError(f"{block.file}: {block.address} is declared twice")
            found[key] = block
        return found


@cache
def parse(text: str, file: str) -> tuple[Block, ...]:
    """Read one file's text."""
    body = hcl2.parses_to_tree(text)
    return _body(_tree(body, "body"), file)[1]


def assignments(text: str) -> Mapping[str, Expression]:
    """Read a .tfvars file's text: names and values, no blocks."""
    return _body(_tree(hcl2.parses_to_tree(text), "body"), "tfvars")[0]


def _body(body: Tree[Token], file: str) -> tuple[dict[str, Expression], tuple[Block, ...]]:
    attributes: dict[str, Expression] = {}
    blocks: list[Block] = []
    for child in _children(body):
        if isinstance(child, Tree) and child.data == "attribute":
            name, *_, value = _children(child)
            if _text(name) in attributes:
                raise ValueError(f"{file}: {_text(name)} is written twice in one block")
            attributes[_text(name)] = Expression(value)
        elif isinstance(child, Tree) and child.data == "block":
            blocks.append(_block(child, file))
    return attributes, tuple(blocks)


def _block(block: Tree[Token], file: str) -> Block:
    children = _children(block)
    kind, *labels = (
        _text(each).strip('"') for each in children if isinstance(each, Tree) and each.data in ("identifier", "string")
    )
    attributes, blocks = _body(_tree(block, "body"), file)
    return Block(kind, tuple(labels), attributes, blocks, file)


def _references(node: Tree[Token] | Token, bound: frozenset[str]) -> Iterator[Reference]:
    if isinstance(node, Token):
        return
    name = str(node.data)
    if "heredoc" in name:
        raise ValueError(f"a heredoc cannot be looked into; write a string: {_text(node)[:60]}")
    if name.startswith("for_") and name.endswith("_expr"):
        intro = _tree(node, "for_intro")
        bound = bound | {
            _text(each) for each in _children(intro) if isinstance(each, Tree) and each.data == "identifier"
        }
    if name in _CHAINS or name == "identifier":
        yield from _chain(node, bound)
        return
    children = _children(node)
    if name == "function_call":
        children = children[1:]
    elif name == "object_elem_key":
        children = [each for each in children if _root_name(each) is None]
    elif name == "for_intro":
        children = [each for each in children if not (isinstance(each, Tree) and each.data == "identifier")]
    for child in children:
        yield from _references(child, bound)


def _chain(node: Tree[Token], bound: frozenset[str]) -> Iterator[Reference]:
    """Yield the reference that a chain of attributes and indexes is, and those inside its indexes."""
    parts: list[str] = []
    current: Tree[Token] | Token = node
    while isinstance(current, Tree) and current.data in _CHAINS:
        base, step = _children(current)
        steps = [step]
        if isinstance(step, Tree) and step.data in ("full_splat", "attr_splat"):
            parts[:0] = ["[*]", *(_text(each).lstrip(".") for each in _children(step) if isinstance(each, Tree))]
        elif isinstance(step, Tree) and step.data == "get_attr":
            parts.insert(0, _text(step).lstrip("."))
        else:
            parts.insert(0, _text(step))
        for each in steps:
            yield from _index_references(each, bound)
        current = _unwrapped(base)
    if isinstance(current, Tree) and current.data == "identifier":
        root = _text(current)
        if root not in bound:
            yield Reference((root, *parts))
    else:
        yield from _references(current, bound)


def _index_references(step: Tree[Token] | Token, bound: frozenset[str]) -> Iterator[Reference]:
    if isinstance(step, Tree) and "index" in str(step.data):
        for child in _children(step):
            yield from _references(child, bound)


def _root_name(node: Tree[Token] | Token) -> str | None:
    """Return the name that an object key is, None if it is an expression."""
    inner = _unwrapped(node)
    return _text(inner) if isinstance(inner, Tree) and inner.data == "identifier" else None


def _unwrapped(node: Tree[Token] | Token) -> Tree[Token] | Token:
    while isinstance(node, Tree) and node.data == "expr_term" and len(_children(node)) == 1:
        node = _children(node)[0]
    return node


def _tree(parent: Tree[Token], name: str) -> Tree[Token]:
    return next(each for each in parent.children if isinstance(each, Tree) and each.data == name)


def _children(node: Tree[Token]) -> list[Tree[Token] | Token]:
    """Return the children without line ends and comments."""
    return [each for each in node.children if not (isinstance(each, Tree) and each.data == "new_line_or_comment")]


def _text(node: Tree[Token] | Token) -> str:
    if isinstance(node, Token):
        return str(node) if node.type.startswith(("STRING", "ESCAPED", "DBLQUOTE")) else str(node).strip()
    return "".join(_text(each) for each in _children(node))
