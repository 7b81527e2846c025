"""Parents as cards and `baseModels` state them, in whatever shape tools write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from pipeline.sources.observations import BASE_MODELS

DECLARED = pl.Struct({"relation": pl.String, "models": BASE_MODELS})
NAMES = ("id", "name", "model_id", "modelId", "model", "repo_id", "base_model")
"""The keys under which an object may name a parent."""
RELATIONS = ("relation", "base_model_relation")


def declared_base_models(text: pl.Expr) -> pl.Expr:
    """What `baseModels` states, from JSON or a plain name, as `DECLARED`; null where it names no parent."""
    return text.map_elements(_declared, return_dtype=DECLARED)


def card_base_models(base_model: pl.Expr) -> pl.Expr:
    """The parents that a card's `base_model`, text or JSON, names; null where it names none."""
    many = base_model.str.extract_all(r'"(?:[^"\\]|\\.)*"').list.eval(pl.element().str.strip_chars('"'))
    plain = pl.when(base_model.str.starts_with("[")).then(many).otherwise(pl.concat_list(base_model))
    objects = _if_objects(base_model).map_elements(
        lambda text: [name or "" for _, name, _ in _parents(text)], return_dtype=pl.List(pl.String)
    )
    return pl.when(_if_objects(base_model).is_not_null()).then(objects).when(base_model.is_not_null()).then(plain)


def card_relation(base_model: pl.Expr) -> pl.Expr:
    """The relation that the objects in a card's `base_model` state, if they agree."""
    return _if_objects(base_model).map_elements(lambda text: _common_relation(_parents(text)), return_dtype=pl.String)


def _if_objects(base_model: pl.Expr) -> pl.Expr:
    return pl.when(base_model.str.contains(r"^\s*[\[{]") & base_model.str.contains("{", literal=True)).then(base_model)


def _declared(text: str) -> dict[str, Any] | None:
    parents = list(_parents(text))
    if not parents:
        return None
    models = [{"hub_id": hub_id, "model_id": model_id} for hub_id, model_id, _ in parents]
    return {"relation": _common_relation(parents), "models": models}


def _common_relation(parents: Iterable[tuple[str | None, str | None, str | None]]) -> str | None:
    relations = {relation for _, _, relation in parents}
    return relations.pop() if len(relations) == 1 else None


def _parents(text: str) -> Iterator[tuple[str | None, str | None, str | None]]:
    """Id, name and relation of every parent; what is neither text, list nor object states none."""
    waiting: list[tuple[Any, str | None]]
    try:
        waiting = [(json.loads(text) if text.lstrip().startswith(("[", "{", '"')) else text, None)]
    except (ValueError, RecursionError):
        return
    while waiting:
        value, inherited = waiting.pop()
        if isinstance(value, str):
            yield None, value, inherited
        elif isinstance(value, list):
            waiting += [(one, inherited) for one in reversed(value)]
        elif isinstance(value, dict):
            own = _first_text(value, RELATIONS) or inherited
            name, hub_id = _first_text(value, NAMES), _first_text(value, ("_id",))
            if name is not None or hub_id is not None:
                yield hub_id, name, own
            elif "models" in value:
                waiting.append((value["models"], own))


def _first_text(value: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((value[key] for key in keys if isinstance(value.get(key), str)), None)
