"""Every model's Spark rendering is the reviewed one: a change of a model or of sqlglot shows as a diff."""

from __future__ import annotations

import pytest

from pipelines.warehouse.portability import GOLDEN, MODELS, find_models, render_spark

MODEL_FILES = find_models(MODELS)


def test_there_are_models_and_each_has_one_rendering() -> None:
    assert MODEL_FILES
    assert {path.stem for path in GOLDEN.glob("*.sql")} == set(MODEL_FILES), (
        "run `python -m pipelines.warehouse.portability --write-golden` and review the diff"
    )


@pytest.mark.parametrize("name", MODEL_FILES)
def test_the_rendering_is_the_reviewed_one(name: str) -> None:
    rendered = render_spark(MODEL_FILES[name].read_text(encoding="utf-8"))
    assert rendered == (GOLDEN / f"{name}.sql").read_text(encoding="utf-8"), (
        "run `python -m pipelines.warehouse.portability --write-golden` and review the diff"
    )
