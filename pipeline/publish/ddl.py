"""The statements that make the published tables and views in a database, the same for DuckDB and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.publish.relations import column_comments, references_of, table_comment
from pipeline.publish.views import View
from pipeline.schema.published import PublishedTable


def create_table(made: PublishedTable, types: Mapping[str, str], *, with_key: bool = True) -> str:
    """The statement that makes the table; `types` are those of the columns in the database's words, by name."""
    parts = [
        f"{identifier(column.name)} {types[column.name]}{'' if column.nullable else ' not null'}"
        for column in made.table.columns
    ]
    if with_key:
        # A key with an absent part cannot be primary.
        kind = "primary key" if made.has_primary_key else "unique"
        parts.append(f"{kind} ({', '.join(map(identifier, made.key))})")
    return f"create table {identifier(made.name)} ({', '.join(parts)})"


def comments_on_table(made: PublishedTable, published: Mapping[str, PublishedTable]) -> Iterator[str]:
    """What the table and its columns mean."""
    return _comments("table", identifier(made.name), table_comment(made), column_comments(made, published))


def create_view(view: View, schema: str = "") -> Iterator[str]:
    """The statements that make the view, in a schema if one is named, and say what it and its columns mean."""
    name = f"{schema}.{identifier(view.name)}" if schema else identifier(view.name)
    yield f"create view {name} as {view.sql}"
    yield from _comments("view", name, view.comment, view.column_comments)


def foreign_keys(made: PublishedTable, published: Mapping[str, PublishedTable]) -> Iterator[str]:
    """The statements that declare what columns of the table refer to, where every row does."""
    for reference in references_of(made, published):
        if reference.dimension is None:
            columns, targets = (", ".join(map(identifier, names)) for names in zip(*reference.on, strict=True))
            target = f"{identifier(reference.target.name)} ({targets})"
            yield f"alter table {identifier(made.name)} add foreign key ({columns}) references {target}"


def _comments(kind: str, name: str, comment: str, of_columns: Mapping[str, str]) -> Iterator[str]:
    yield f"comment on {kind} {name} is '{quoted(comment)}'"
    for column, said in of_columns.items():
        yield f"comment on column {name}.{identifier(column)} is '{quoted(said)}'"


def identifier(name: str) -> str:
    """The name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """The text as it stands between the quotes of an SQL literal."""
    return text.replace("'", "''")
