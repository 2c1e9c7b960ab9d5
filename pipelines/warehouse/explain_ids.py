"""Ids as people paste them: whole, or the beginning of one.

What belongs here: finding the one id that is meant, and the shortest form that finds it again. What must not:
what an id leads to (`explain.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.warehouse.errors import PublishError

if TYPE_CHECKING:
    import duckdb

_ID_RELATIONS = {
    "charge_id": ("bill line", "core.charges"),
    "cell_id": ("cell", "core.cells"),
    "trace_id": (
        "trace",
        "(select trace_id from marts.traces union all select trace_id from core.trace_usage) as known",
    ),
}
_SHORT_ID = 12
_ID_QUERIES = {
    "charge_id": "select charge_id, charge_description, billed_cost from core.charges order by billed_cost desc",
    "cell_id": "select charge_date, cell_id, provider, service_name from core.cells order by charge_date desc",
    "trace_id": "select trace_id, root_date, feature, total_cost from marts.traces order by total_cost desc",
}
ID_NAMES = tuple(_ID_RELATIONS)


def noun_of(name: str) -> str:
    """Return what a person calls the thing with the id `name`."""
    return _ID_RELATIONS[name][0]


def whole_id(connection: duckdb.DuckDBPyConnection, release_name: str, name: str, given: str) -> str:
    """Return the id in full: the one that is `given`, else the only one that begins so.

    Raises PublishError when none does, or several.
    """
    noun, relation = _ID_RELATIONS[name]
    found = connection.execute(
        f"select distinct {name} from {relation} where starts_with({name}, ?) order by 1",  # noqa: S608 (ours)
        [given],
    ).fetchall()
    ids = [str(row[0]) for row in found]
    if given in ids:
        return given
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise PublishError(
            f"The release {release_name} holds no {noun} whose id is or begins with {given!r}. "
            f'See which there are: everycent query "{_ID_QUERIES[name]}"'
        )
    examples = ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
    raise PublishError(
        f"{len(ids):,} {noun}s of the release {release_name} have an id that begins with {given!r} "
        f"({examples}). Give more of it."
    )


def short_ids(
    connection: duckdb.DuckDBPyConnection, name: str, ids: Sequence[str | None]
) -> list[str | None]:
    """Return each id as its first 12 characters where no other id begins so, else in full."""
    known = [whole for whole in ids if whole is not None]
    found = connection.execute(
        f"select left({name}, {_SHORT_ID}) from {_ID_RELATIONS[name][1]} "  # noqa: S608 (our constants)
        f"where left({name}, {_SHORT_ID}) in (select left(unnest(cast(? as varchar[])), {_SHORT_ID})) "
        f"group by 1 having count(distinct {name}) = 1",
        [known],
    ).fetchall()
    unique = {row[0] for row in found}
    return [whole[:_SHORT_ID] if whole and whole[:_SHORT_ID] in unique else whole for whole in ids]
