"""`build_defs`: all definitions of one config, put together explicitly so that tests can build variants.

What belongs here: assets, jobs, schedules and the resource in one object. What must not: a module-level
`Definitions` (that is `pipelines.definitions`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from pipelines.config.model import Config
from pipelines.defs.assets import (
    NIGHT,
    REPORT_KEY,
    build_model_asset,
    build_outlook_asset,
    build_release_asset,
    build_report_asset,
    build_source_asset,
)
from pipelines.defs.metadata import asset_key
from pipelines.defs.partitions import build_range_tags
from pipelines.defs.session import NightSession
from pipelines.night.run import Night, NightRequest
from pipelines.warehouse.models import ModelSet

NIGHTLY_JOB = "nightly"
REPORT_JOB = "weekly_report"
NIGHTLY_CRON = "0 6 * * *"
REPORT_CRON = "0 8 * * 1"
SCHEDULED_DAYS = 3
"""A scheduled run does not know yet which days will change: it marks today and the two days before."""


def build_defs(
    config: Config,
    models: ModelSet,
    *,
    home: Path | None = None,
    session: NightSession | None = None,
    has_lineage: bool = False,
) -> dg.Definitions:
    """All definitions of a config. With `session` the assets work on that night, else each run opens its own.

    `has_lineage` computes the lineage of columns, which takes seconds: only for the web interface.
    """
    assets = [
        *(build_source_asset(source) for source in config.sources),
        *(build_model_asset(models, model, config.sources, has_lineage) for model in models.models.values()),
        build_outlook_asset(),
        build_release_asset(models),
        build_report_asset(),
        *_reference_specs(models),
    ]
    nightly = dg.define_asset_job(
        NIGHTLY_JOB,
        dg.AssetSelection.all() - dg.AssetSelection.groups("reference"),
        description="Land what is new, build what it touches, publish, write the weekly report.",
    )
    report = dg.define_asset_job(
        REPORT_JOB,
        dg.AssetSelection.assets(REPORT_KEY),
        description="Write the weekly report of the current release again.",
    )
    resource = (
        dg.ResourceDefinition.hardcoded_resource(session)
        if session
        else _night_resource(config, models, home)
    )
    return dg.Definitions(
        assets=assets,
        jobs=[nightly, report],
        schedules=[
            _nightly_schedule(nightly),
            dg.ScheduleDefinition(job=report, cron_schedule=REPORT_CRON, execution_timezone="UTC"),
        ],
        resources={NIGHT: resource},
        executor=dg.in_process_executor,
    )


def _reference_specs(models: ModelSet) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            asset_key(name),
            group_name="reference",
            description="Shipped with the project, joined by rows of the config.",
            kinds={"csv"},
        )
        for name in models.input_names
        if name.startswith("reference.")
    ]


def _nightly_schedule(job: dg.UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{NIGHTLY_JOB}_schedule", job=job, cron_schedule=NIGHTLY_CRON, execution_timezone="UTC"
    )
    def _nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        today = context.scheduled_execution_time.astimezone(UTC).date()
        return dg.RunRequest(
            run_key=today.isoformat(),
            tags=build_range_tags(today - timedelta(days=SCHEDULED_DAYS - 1), today),
        )

    return _nightly


def _night_resource(config: Config, models: ModelSet, home: Path | None) -> dg.ResourceDefinition:
    @dg.resource(description="One night: its lock, its inputs, its build.")
    def _night(_: dg.InitResourceContext) -> Iterator[NightSession]:
        now = datetime.now(UTC).replace(tzinfo=None)
        with Night(NightRequest(config, home or config.home, now.date(), now), models) as night:
            yield NightSession(night)

    return _night
