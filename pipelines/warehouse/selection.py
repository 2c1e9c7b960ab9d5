"""Which files of its inputs a partition of a model reads, and the fingerprint that follows from them.

What belongs here: mapping partitions to partitions and files (same, all, overlap, days). What must not:
DuckDB, writing. A partition is a pure function of what is selected here, the model's code and its parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipelines.warehouse.errors import BuildError
from pipelines.warehouse.headers import Reading
from pipelines.warehouse.models import WINDOW_PARAMETERS, Model, ModelSet
from pipelines.warehouse.periods import ALL, convert_key, keys_between, window_of
from pipelines.warehouse.relations import DataFile, Relation, digest_of

MAX_DAYS = 40_000
"""Intervals of one file that cover more than a century are a wrong date in an input, not a history."""


@dataclass(frozen=True)
class Slice:
    """What one partition reads of one relation: files of a table, or partition keys of a view."""

    files: tuple[DataFile, ...]
    keys: tuple[str, ...]
    digest: str


class Selection:
    """The relations known so far and the mapping between their partitions."""

    def __init__(self, models: ModelSet, parameters: Mapping[str, Any], code_base: str) -> None:
        self.relations: dict[str, Relation] = {}
        self.fingerprints: dict[str, dict[str, str]] = {}  # models only
        self._models = models.models
        self._parameters = parameters
        self._code_base = code_base
        self._whole: dict[str, Slice] = {}
        self._overlaps: dict[tuple[str, str], dict[str, list[DataFile]]] = {}
        self._slices: dict[str, dict[tuple[str, ...], Slice]] = {}

    def add(self, relation: Relation, fingerprints: Mapping[str, str] | None = None) -> None:
        """Makes a relation readable; a view model has fingerprints and no files."""
        self.relations[relation.name] = relation
        self._whole.pop(relation.name, None)
        self._slices.pop(relation.name, None)
        for key in [key for key in self._overlaps if key[0] == relation.name]:
            del self._overlaps[key]
        if fingerprints is not None:
            self.fingerprints[relation.name] = dict(fingerprints)

    def relation(self, name: str, reader: str) -> Relation:
        """A known relation; raises BuildError saying who wanted it."""
        try:
            return self.relations[name]
        except KeyError:
            origin = (
                "run it first"
                if name in self._models
                else "give it as an input, typed empty if there is no data"
            )
            raise BuildError(f"{reader} reads {name}, which is not there yet: {origin}") from None

    def keys(self, name: str) -> Iterable[str]:
        """The partitions of a relation that hold something."""
        if self.is_view(name):
            return self.fingerprints[name]
        return [key for key, files in self.relations[name].files.items() if files]

    def model(self, name: str) -> Model:
        """The model of that name."""
        return self._models[name]

    def is_view(self, name: str) -> bool:
        """True when reading the name means running a view model."""
        return name in self._models and self._models[name].is_view

    def partition_keys(self, model: Model) -> list[str]:
        """The partitions that the model has now, as its inputs dictate; raises BuildError when none can
        dictate."""
        if model.unit is None:
            return [ALL]
        leading = [ref for ref in model.refs if self._leads(model, ref, ("same", "overlap"))]
        leading = leading or [ref for ref in model.refs if self._leads(model, ref, ("days",))]
        if not leading:
            raise BuildError(
                f"{model.name} has partition_by but no input by day or month to take its partitions from"
            )
        keys: set[str] = set()
        for ref in leading:
            if _reading(model, ref).mode == "overlap":
                keys.update(self._overlap(ref, model.unit))
            else:
                keys.update(key for own in self.keys(ref) for key in convert_key(own, model.unit))
        return sorted(keys)

    def _leads(self, model: Model, ref: str, modes: tuple[str, ...]) -> bool:
        mode, relation = _reading(model, ref).mode, self.relation(ref, model.name)
        return mode in modes and (mode == "overlap" or relation.unit is not None)

    def slice(self, model: Model, ref: str, key: str) -> Slice:
        """What partition `key` of the model reads of `ref`."""
        reading, relation = _reading(model, ref), self.relation(ref, model.name)
        if reading.mode == "overlap" and key != ALL:
            files = tuple(self._overlap(ref, model.unit or "day").get(key, ()))
            return Slice(files, (), _digest(files))
        if key == ALL or relation.unit is None or reading.mode == "all":
            return self.whole(ref)
        if reading.mode == "days":
            start, end = window_of(key)
            start -= timedelta(days=reading.days_before)
            end += timedelta(days=reading.days_after)
            keys = tuple(keys_between(relation.unit, start, end))
        else:
            keys = tuple(convert_key(key, relation.unit))
        known = self._slices.setdefault(ref, {})  # many models read the same days of a table
        if keys not in known:
            known[keys] = self._slice_of(ref, keys)
        return known[keys]

    def _slice_of(self, ref: str, keys: tuple[str, ...]) -> Slice:
        if self.is_view(ref):
            known = self.fingerprints[ref]
            keys = tuple(k for k in keys if k in known)
            return Slice((), keys, digest_of([known[k] for k in keys]))
        files = self.relations[ref].files
        found = tuple(file for k in keys for file in files.get(k, ()))
        return Slice(found, (), _digest(found))

    def whole(self, name: str) -> Slice:
        """All of a relation."""
        if name not in self._whole:
            if self.is_view(name):
                known = self.fingerprints[name]
                self._whole[name] = Slice((), tuple(known), digest_of(sorted(known.items())))
            else:
                relation = self.relations[name]
                self._whole[name] = Slice(relation.all_files, (), relation.digest)
        return self._whole[name]

    def fingerprint(self, model: Model, keys: Iterable[str]) -> dict[str, str]:
        """Per partition a digest of code, parameters and input files; equal means an equal result."""
        values = [
            (p, str(self.parameter(p, model.name)))
            for p in sorted(model.statement.parameters - WINDOW_PARAMETERS)
        ]
        shapes = [list(self.relation(ref, model.name).columns.items()) for ref in model.refs]
        base = digest_of((self._code_base, model.code_digest, values, shapes))
        return {
            key: digest_of((base, [self.slice(model, ref, key).digest for ref in model.refs])) for key in keys
        }

    def parameter(self, name: str, reader: str) -> Any:
        """The value of a parameter; raises BuildError saying who wanted it."""
        if self._parameters.get(name) is None:
            raise BuildError(f"{reader} uses ${name}, which this build was not given")
        return self._parameters[name]

    def expand(
        self, model: Model, refs: Iterable[str], keys: Iterable[str]
    ) -> dict[str, tuple[DataFile, ...]]:
        """Files by relation that these partitions need for these refs; views lead to what they read,
        themselves last.

        A view stands in the answer with no files, after everything it reads.
        """
        needed: dict[str, dict[str, DataFile]] = {}
        self._collect(model, list(refs), list(keys), needed)
        return {name: tuple(sorted(files.values(), key=_file_order)) for name, files in needed.items()}

    def expand_whole(self, names: Iterable[str]) -> dict[str, tuple[DataFile, ...]]:
        """Like `expand`, for all partitions of the named relations."""
        needed: dict[str, dict[str, DataFile]] = {}
        for name in names:
            self._take(name, self.whole(name), needed)
        return {name: tuple(sorted(files.values(), key=_file_order)) for name, files in needed.items()}

    def _collect(
        self, model: Model, refs: list[str], keys: list[str], needed: dict[str, dict[str, DataFile]]
    ) -> None:
        for ref in refs:
            slices = [self.slice(model, ref, key) for key in keys]
            files = {str(file.path): file for part in slices for file in part.files}
            view_keys = dict.fromkeys(key for part in slices for key in part.keys)
            self._take(ref, Slice(tuple(files.values()), tuple(view_keys), ""), needed)

    def _take(self, name: str, part: Slice, needed: dict[str, dict[str, DataFile]]) -> None:
        if self.is_view(name):
            view = self._models[name]
            self._collect(view, list(view.refs), list(part.keys), needed)
        needed.setdefault(name, {}).update({str(file.path): file for file in part.files})

    def _overlap(self, ref: str, unit: str) -> dict[str, list[DataFile]]:
        if (ref, unit) not in self._overlaps:
            index: dict[str, list[DataFile]] = {}
            for file in self.relations[ref].all_files:
                for key in _touched_keys(ref, file, unit):
                    index.setdefault(key, []).append(file)
            self._overlaps[ref, unit] = index
        return self._overlaps[ref, unit]


def _reading(model: Model, ref: str) -> Reading:
    return model.header.reads.get(ref, Reading())


def _file_order(file: DataFile) -> tuple[str, str]:
    return file.partition, str(file.path)


def _digest(files: tuple[DataFile, ...]) -> str:
    return digest_of(sorted(file.digest for file in files))


def _touched_keys(ref: str, file: DataFile, unit: str) -> Iterable[str]:
    if not file.rows:
        return ()
    if "overlap_start" not in file.stats:
        raise BuildError(
            f"{ref} is read with `overlap`, but {file.path} has no recorded range; declare overlap in it"
        )
    start = datetime.fromisoformat(file.stats["overlap_start"])
    end = datetime.fromisoformat(file.stats["overlap_end"])
    if (end - start).days > MAX_DAYS:
        raise BuildError(f"{ref}: {file.path} covers {start} to {end}; look for a wrong date in its input")
    last = (end - timedelta(microseconds=1)).date()
    return keys_between(unit, start.date(), last + timedelta(days=1))
