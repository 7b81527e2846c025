"""The catalogue: everything that the modules of the census declare, found by walking its packages."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TypeVar

from pipeline.schema.declaration import Table
from pipeline.schema.figure import Figure, MemberPages
from pipeline.schema.published import PublishedTable

Declared = TypeVar("Declared")


@dataclass(frozen=True)
class Catalogue:
    """Every declared table, those of the lake by path (`group/name`), those that are published by name; figures."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    published: Mapping[str, PublishedTable] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    """The declared figures, in the order in which they are read."""
    pages: tuple[MemberPages, ...] = ()
    """Kinds of pages with one for each member, in the order in which they are read."""

    def __getitem__(self, path: str) -> Table:
        """The table of that path.

        Raises:
            KeyError: no module declares it.
        """
        if path not in self.tables:
            raise KeyError(f"no table {path} is declared: the census has {', '.join(sorted(self.tables))}")
        return self.tables[path]

    @property
    def monthly(self) -> tuple[Table, ...]:
        """The tables that make up a month: all of them must be there, checked and unchanged for it to be published."""
        return tuple(table for table in self.tables.values() if table.monthly and table.group != "published")


def catalogue_of(*packages: ModuleType) -> Catalogue:
    """The catalogue of what the packages' modules declare.

    Raises:
        ValueError: two tables are declared under one path.
    """
    return Catalogue(
        _by_name((table.path, table) for table in declared_in(Table, *packages)),
        _by_name((found.table.name, found) for found in sorted(declared_in(PublishedTable, *packages), key=_place)),
        _in_order(declared_in(Figure, *packages)),
        tuple(sorted(declared_in(MemberPages, *packages), key=lambda pages: pages.place)),
    )


def _place(made: PublishedTable) -> int:
    """Entry tables before dimensions and facts, what the publication says of itself last."""
    return 0 if made.entry_of else 2 if made.name.startswith(("_", "data_", "check_")) else 1


def _in_order(figures: Iterable[Figure]) -> tuple[Figure, ...]:
    by_key = _by_name((figure.key, figure) for figure in figures)
    return tuple(sorted(by_key.values(), key=lambda figure: (figure.place, figure.key)))


def _by_name(found: Iterable[tuple[str, Declared]]) -> dict[str, Declared]:
    named: dict[str, Declared] = {}
    for name, declared in found:
        if named.setdefault(name, declared) is not declared:
            raise ValueError(f"{name} is declared twice: keep one declaration")
    return named


def declared_in(kind: type[Declared], *packages: ModuleType) -> Iterator[Declared]:
    """Everything of a kind that stands at the top of a module of the packages, or in a tuple or list there, once."""
    seen: set[int] = set()
    for module in modules_of(*packages):
        for value in vars(module).values():
            for found in value if isinstance(value, (tuple, list)) else (value,):
                if isinstance(found, kind) and id(found) not in seen:
                    seen.add(id(found))
                    yield found


def modules_of(*packages: ModuleType) -> Iterator[ModuleType]:
    """The packages and every module below them, in the order of their names."""
    for package in packages:
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)
