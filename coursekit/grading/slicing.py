"""Cutting out of modules what a piece of code uses, and nothing else: how a learner's process gets `box_area` but not `box_iou`.

Works on source alone. A name counts as used where Python itself would look it up in the module (`symtable` knows), and of a module under an
alias only the attributes that are written down count. Code that looks names up by strings is beyond it.
"""

import ast
import functools
import symtable
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import coursekit

ROOT = "coursekit"
PROVIDED = f"{ROOT}.notebook"  # check, hint, predict ...: whoever runs a learner's cells puts stand-ins there


class CannotCut(ValueError):
    """What is needed cannot be cut out of the package; the message says why, without a full stop."""


@dataclass(frozen=True)
class Imported:
    """What an import binds: a module, or a name of a module."""

    module: str
    name: str | None = None


@dataclass(frozen=True, eq=False)
class Statement:
    """One top-level statement.

    Args:
        source: its text; of an import with several names, the import of one of them.
        binds: names of the module that it gives a value, or changes.
        uses: (name, attributes behind it) of what it looks up.
        imports: what imports anywhere inside it bind, by local name.
    """

    source: str
    binds: frozenset[str]
    uses: frozenset[tuple[str, tuple[str, ...]]]
    imports: dict[str, Imported] = field(default_factory=dict)


def statements_of(source: str, module: str = "", package: bool = False) -> list[Statement]:
    """The top-level statements of a source; an import of several names is one statement for each.

    Args:
        source: Python.
        module: its dotted name, which relative imports count from.
        package: it is an ``__init__.py``.
    """
    lines, found = source.split("\n"), []
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found += [_import(node, alias, module, package) for alias in node.names]
            continue
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        text = "\n".join(lines[first - 1 : node.end_lineno])
        imports = {}
        for inner in ast.walk(node):
            if isinstance(inner, (ast.Import, ast.ImportFrom)):
                for alias in inner.names:
                    imports.update(_import(inner, alias, module, package).imports)
        found.append(Statement(text, _binds(node), _uses(node, imports), imports))
    return found


def _import(node: ast.Import | ast.ImportFrom, alias: ast.alias, module: str, package: bool) -> Statement:
    """One name of an import, as a statement of its own."""
    local = alias.asname or alias.name.split(".")[0]
    if isinstance(node, ast.Import):
        target = Imported(alias.name if alias.asname else local)
        text = ast.unparse(ast.Import([alias]))
    else:
        origin = node.module or ""
        if node.level:
            parts = module.split(".")
            parts = parts[: len(parts) - node.level + package]
            origin = ".".join([*parts, *([node.module] if node.module else [])])
        target = Imported(origin, alias.name)
        text = ast.unparse(ast.ImportFrom(origin, [alias], 0))
    return Statement(text, frozenset([local]), frozenset(), {local: target})


def _binds(node: ast.stmt) -> frozenset[str]:
    """Names of the module that the statement assigns, defines, imports, or changes by attribute, key or method."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return frozenset([node.name])
    if isinstance(node, ast.Expr):
        call = node.value.func if isinstance(node.value, ast.Call) else None
        base = _base(call) if isinstance(call, ast.Attribute) else None
        return frozenset([base] if base else [])
    table = symtable.symtable(ast.unparse(node), "<statement>", "exec")
    bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    changed = {_base(n) for n in ast.walk(node) if isinstance(n, (ast.Attribute, ast.Subscript)) and isinstance(n.ctx, ast.Store)}
    return frozenset(bound | changed - {None})


def _base(node: ast.AST) -> str | None:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _uses(node: ast.stmt, imports: dict[str, Imported]) -> frozenset[tuple[str, tuple[str, ...]]]:
    names = set(_globals(symtable.symtable(ast.unparse(node), "<statement>", "exec"))) | set(imports)
    return frozenset((name, chain) for name, chain in _chains(node) if name in names)


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    """Names that this scope and those inside it look up in the module."""
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if (top and symbol.is_referenced()) or (not top and symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals(child)


def _chains(node: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(name, attributes) of every name: ``a.b.c`` gives ``("a", ("b", "c"))``."""
    if isinstance(node, ast.Attribute):
        parts = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name):
            yield inner.id, tuple(reversed(parts))
            return
        yield from _chains(inner)
        return
    if isinstance(node, ast.Name):
        yield node.id, ()
    for child in ast.iter_child_nodes(node):
        yield from _chains(child)


@functools.cache
def module_path(name: str) -> Path | None:
    """The source of a module of coursekit; None where there is none."""
    base = Path(coursekit.__file__).parent.joinpath(*name.split(".")[1:])
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@functools.cache
def module_statements(name: str) -> list[Statement]:
    """The statements of a module of coursekit."""
    path = module_path(name)
    if path is None:
        raise CannotCut(f"there is no module {name}")
    return statements_of(path.read_text(encoding="utf-8"), name, path.name == "__init__.py")


class Cut:
    """What was found to be used, so far.

    Attributes:
        kept: statements of each module of coursekit.
        packages: third-party packages that are imported.
    """

    def __init__(self):
        self.kept: dict[str, set[Statement]] = {}
        self.packages: set[str] = set()
        self._seen: set[tuple] = set()

    def need_of(self, statement: Statement) -> list[tuple[str, tuple[str, ...]]]:
        """Follow the imports inside a statement. Returns its other names, which the caller looks up beside the statement."""
        open_names = []
        for name, chain in statement.uses:
            if name in statement.imports:
                self.need_import(statement.imports[name], chain)
            else:
                open_names.append((name, chain))
        for imported in statement.imports.values():
            if imported.module.split(".")[0] != ROOT:
                self.need_import(imported, ())
        return open_names

    def need_import(self, imported: Imported, chain: tuple[str, ...]) -> None:
        """Something imported is used, with these attributes."""
        top = imported.module.split(".")[0]
        if top != ROOT:
            if top not in sys.stdlib_module_names:
                self.packages.add(top)
            return
        if imported.module == PROVIDED:
            return
        if imported.name is None:
            self.need_module(imported.module, chain)
        else:
            self.need_name(imported.module, imported.name, chain)

    def need_module(self, module: str, chain: tuple[str, ...]) -> None:
        """A module under some name is used: the attribute that is asked of it, or all of it."""
        self._open(module)
        if chain:
            self.need_name(module, chain[0], chain[1:])
            return
        for statement in module_statements(module):
            for name in statement.binds:
                self.need_name(module, name, ())

    def need_name(self, module: str, name: str, chain: tuple[str, ...] = ()) -> None:
        """One name of a module, with all that it uses."""
        if (module, name, chain) in self._seen:
            return
        self._seen.add((module, name, chain))
        self._open(module)
        if name.startswith("__") and name.endswith("__") and name != "__version__":
            return
        found = [s for s in module_statements(module) if name in s.binds]
        if not found:
            if module_path(f"{module}.{name}") is None:
                raise CannotCut(f"{module} has no {name}")
            self.need_module(f"{module}.{name}", chain)
        for statement in found:
            self.kept[module].add(statement)
            if name in statement.imports:
                self.need_import(statement.imports[name], chain)
            for other, behind in self.need_of(statement):
                if any(other in s.binds for s in module_statements(module)):
                    self.need_name(module, other, behind)

    def _open(self, module: str) -> None:
        """The module will be imported."""
        self.kept.setdefault(module, set())

    def names(self) -> set[tuple[str, str]]:
        """(module, name) of all that is kept."""
        return {(module, name) for module, kept in self.kept.items() for statement in kept for name in statement.binds}

    def source(self, module: str) -> str:
        """What is left of a module, in its own order."""
        kept = self.kept.get(module, set())
        return render(
            s for s in module_statements(module) if s in kept or (kept and any(i.module == "__future__" for i in s.imports.values()))
        )

    def files(self) -> dict[str, str]:
        """The cut modules and the packages that they lie in: path to source. The outermost only where something of it is needed."""
        modules = {".".join(parts[:end]) for parts in (m.split(".") for m in self.kept) for end in range(1, len(parts) + 1)}
        found = {}
        for module in sorted(modules):
            text = self.source(module)
            if module != ROOT or text:
                found[module_path(module).relative_to(Path(coursekit.__file__).parents[1]).as_posix()] = text
        return found


def render(statements: Iterable[Statement]) -> str:
    """Statements as one source."""
    return "".join(f"{s.source}\n" for s in statements)
