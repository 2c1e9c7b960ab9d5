"""The spans of agent traces: servers, agents, tools and model calls, as GenAI semantic conventions name them.

What belongs here: which attributes a span carries, and on which day's file it stands. What must not: file formats
(`otlp`), which spans were lost (`simulator.sightings`), prompts, money.

Names: OpenTelemetry GenAI v1.41; `gen_ai.usage.cache_creation.ephemeral_*_input_tokens` as several emitters add them;
vLLM's own span `llm_request` below the client's, for calls to own GPUs. `app.*` are the company's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from simulator import company
from simulator.company import midnight
from simulator.logs.otlp import FIXED, Spans
from simulator.logs.sightings import find_span_calls, repeat_copies
from simulator.world import World

_TIERS = {"standard": "default", "flex": "flex", "priority": "priority"}
_RESOURCE_KEYS = tuple(
    f"emitter_{name}" for name in ("service", "cloud", "account", "region", "zone", "environment", "instance")
)


_CALL_COLUMNS = """
    trace_id span_id parent_span_id session_id user_id_as_logged tenant team feature has_identity_everywhere
    service environment caller_cloud caller_account_id caller_region caller_zone caller_zone_id provider
    account_id region logged_model response_model replica_id agent_step service_tier uncached_input_tokens
    cache_read_tokens cache_write_5m_tokens cache_write_1h_tokens output_tokens reasoning_tokens
    web_search_requests queue_us prefill_us decode_us started_at ended_at outcome error_type
    provider_request_id gateway_call_id in_gateway span_copies clock_skew_ms
""".split()
_DAY = timedelta(days=1)


def iterate_spans(world: World) -> Iterator[tuple[str, Spans]]:
    """Yield each UTC day with the spans that ended on it, as they reach the collector: in the order of their end."""
    calls = find_span_calls(world).select(_CALL_COLUMNS).collect()
    around = world.spans.lazy().filter("in_span").collect()
    for day in [*world.period.days, world.period.end + _DAY]:
        day_calls = _add_client_columns(_ended_on(calls, day), world)
        parts = [
            _surrounding_spans(_ended_on(around, day), world),
            _call_spans(day_calls),
            _server_spans(day_calls, world),
        ]
        frame = pl.concat(parts, how="diagonal")
        if len(frame):
            yield str(day), _finish_day(frame)


def _ended_on(frame: pl.DataFrame, day: date) -> pl.DataFrame:
    """The rows that ended on a UTC day; the frame is sorted by start, and nothing lasts longer than a day."""
    first, last = (frame["started_at"].search_sorted(midnight(day + step * _DAY)) for step in (-1, 1))
    return frame.slice(first, last - first).filter(pl.col("ended_at").dt.date() == day)


def _finish_day(frame: pl.DataFrame) -> Spans:
    order = frame.select(row=pl.arg_sort_by("ended_at", "span_id")).to_series()
    frame = repeat_copies(frame[order], "copies")
    resources = (
        frame.select(_RESOURCE_KEYS)
        .unique()
        .sort(_RESOURCE_KEYS, nulls_last=True)
        .with_row_index("resource")
        .with_columns(pl.col("resource").cast(pl.Int64))
    )
    frame = frame.join(
        resources, on=_RESOURCE_KEYS, how="left", nulls_equal=True, maintain_order="left"
    ).drop(*_RESOURCE_KEYS, "copies", "ended_at")
    attributes = sorted(set(frame.columns) - set(FIXED))
    return Spans(frame.select(*FIXED, *attributes), _name_resources(resources))


def _name_resources(resources: pl.DataFrame) -> pl.DataFrame:
    is_cloud = pl.col("emitter_cloud").is_in(["aws", "azure", "gcp"])
    return resources.select(
        "resource",
        pl.col("emitter_service").alias("service.name"),
        pl.lit("quillworks").alias("service.namespace"),
        pl.col("emitter_instance").alias("service.instance.id"),
        pl.when(is_cloud).then("emitter_cloud").alias("cloud.provider"),
        pl.when(is_cloud).then("emitter_account").alias("cloud.account.id"),
        pl.col("emitter_region").alias("cloud.region"),
        pl.col("emitter_zone").alias("cloud.availability_zone"),
        pl.col("emitter_environment").alias("deployment.environment.name"),
    )


def _times() -> list[pl.Expr]:
    """Start and end by the replica's clock."""
    skew = pl.col("clock_skew_ms") * 1_000_000
    return [
        (pl.col("started_at").dt.epoch("us") * 1000 + skew).alias("start_ns"),
        (pl.col("ended_at").dt.epoch("us") * 1000 + skew).alias("end_ns"),
        pl.col("ended_at"),
        pl.col("trace_id"),
        pl.col("span_id"),
        pl.col("parent_span_id"),
    ]


def _resource(world: World) -> list[pl.Expr]:
    zone = "caller_zone" if world.habits.zone_names > 0 else "caller_zone_id"
    return [
        pl.col("service").alias("emitter_service"),
        pl.col("caller_cloud").alias("emitter_cloud"),
        pl.col("caller_account_id").alias("emitter_account"),
        pl.col("caller_region").alias("emitter_region"),
        pl.col(zone).alias("emitter_zone"),
        pl.col("environment").alias("emitter_environment"),
        pl.lit(None, pl.String).alias("emitter_instance"),
    ]


def _identity(is_told: pl.Expr) -> list[pl.Expr]:
    names = {
        "app.feature": "feature",
        "app.tenant": "tenant",
        "app.team": "team",
        "user.id": "user_id_as_logged",
        "session.id": "session_id",
    }
    return [pl.when(is_told).then(pl.col(column)).alias(name) for name, column in names.items()]


def _trace_state(world: World) -> pl.Expr:
    """What a consistent head sampler writes: which part of all traces it rejects."""
    dose = world.habits.sampled_spans
    if not 0 < dose < 1:
        return pl.lit(None, pl.String).alias("trace_state")
    threshold = f"{int(dose * 16**14):014x}".rstrip("0")
    is_sampled = pl.col("feature") == company.SAMPLED_FEATURE
    return pl.when(is_sampled).then(pl.lit(f"ot=th:{threshold}")).alias("trace_state")


def _surrounding_spans(spans: pl.DataFrame, world: World) -> pl.DataFrame:
    kind = pl.col("kind")
    is_server, is_agent, is_tool = kind == "server", kind == "agent", kind == "tool"
    name = (
        pl.when(is_server)
        .then(pl.concat_str(pl.lit("POST "), pl.col("endpoint")))
        .when(is_agent)
        .then(pl.concat_str(pl.lit("invoke_agent "), pl.col("name")))
        .otherwise(pl.concat_str(pl.lit("execute_tool "), pl.col("name")))
    )
    operation = pl.when(is_agent).then(pl.lit("invoke_agent")).when(is_tool).then(pl.lit("execute_tool"))
    return spans.select(
        *_times(),
        *_resource(world),
        _trace_state(world),
        name.alias("span_name"),
        pl.when(is_server).then(pl.lit("server")).otherwise(pl.lit("internal")).alias("span_kind"),
        pl.col("is_error"),
        pl.col("span_copies").alias("copies"),
        *_identity(is_server | pl.col("has_identity_everywhere")),
        pl.when(is_server).then(pl.lit("POST")).alias("http.request.method"),
        pl.when(is_server).then(pl.col("endpoint")).alias("http.route"),
        pl.when(is_server).then(pl.lit(200)).alias("http.response.status_code"),
        operation.alias("gen_ai.operation.name"),
        pl.when(is_agent).then(pl.col("name")).alias("gen_ai.agent.name"),
        pl.when(is_agent).then(pl.col("workflow")).alias("gen_ai.workflow.name"),
        pl.when(is_agent).then(pl.col("input_tokens")).alias("gen_ai.usage.input_tokens"),
        pl.when(is_agent).then(pl.col("output_tokens")).alias("gen_ai.usage.output_tokens"),
        pl.when(is_tool).then(pl.col("name")).alias("gen_ai.tool.name"),
        pl.when(is_tool).then(pl.lit("function")).alias("gen_ai.tool.type"),
        pl.when(is_tool & pl.col("is_error")).then(pl.lit("tool_error")).alias("error.type"),
    )


def _add_client_columns(calls: pl.DataFrame, world: World) -> pl.DataFrame:
    """What the client of a call knows of it: its names, its counts, the id of its answer."""
    is_bedrock = pl.col("provider") == "aws.bedrock"
    is_answered = pl.col("provider_request_id").is_not_null()
    by_gateway = is_answered & pl.col("in_gateway")
    gateways_id = pl.concat_str(pl.lit("chatcmpl-"), pl.col("gateway_call_id"))
    prompt = (
        pl.col("uncached_input_tokens")
        + pl.col("cache_read_tokens")
        + pl.col("cache_write_5m_tokens")
        + pl.col("cache_write_1h_tokens")
    )
    return calls.with_columns(
        *_resource(world),
        _trace_state(world),
        is_answered.alias("is_answered"),
        prompt.alias("prompt"),
        pl.when(is_bedrock & by_gateway)
        .then(gateways_id)
        .when(~is_bedrock)
        .then("provider_request_id")
        .alias("response_id"),
        pl.when(is_bedrock & ~by_gateway).then("provider_request_id").alias("aws_request_id"),
        pl.when(by_gateway).then("gateway_call_id").alias("litellm_call_id"),
    )


def _call_spans(calls: pl.DataFrame) -> pl.DataFrame:
    provider, is_answered = pl.col("provider"), pl.col("is_answered")
    is_bedrock, is_openai = provider == "aws.bedrock", provider == "openai"
    is_batch = pl.col("service_tier") == "batch"
    tier = pl.col("service_tier").replace_strict(_TIERS, default=None, return_dtype=pl.String)
    billed_account = pl.when(provider != "vllm").then(pl.col("account_id"))

    def count(column: str) -> pl.Expr:
        return pl.when(is_answered & (pl.col(column) > 0)).then(pl.col(column))

    def answer(value: pl.Expr) -> pl.Expr:
        return pl.when(is_answered).then(value)

    return calls.select(
        *_times(),
        *_RESOURCE_KEYS,
        "trace_state",
        pl.concat_str(pl.lit("chat "), pl.col("logged_model")).alias("span_name"),
        pl.lit("client").alias("span_kind"),
        (pl.col("outcome") == "error").alias("is_error"),
        pl.col("span_copies").alias("copies"),
        *_identity(pl.col("has_identity_everywhere")),
        pl.lit("chat").alias("gen_ai.operation.name"),
        provider.alias("gen_ai.provider.name"),
        pl.col("logged_model").alias("gen_ai.request.model"),
        answer(pl.when(~is_bedrock).then(pl.col("response_model"))).alias("gen_ai.response.model"),
        pl.col("response_id").alias("gen_ai.response.id"),
        pl.col("aws_request_id").alias("aws.request_id"),
        pl.col("litellm_call_id").alias("litellm.call_id"),
        answer(pl.concat_list(pl.lit("stop"))).alias("gen_ai.response.finish_reasons"),
        pl.col("session_id").alias("gen_ai.conversation.id"),
        pl.col("agent_step").alias("app.agent_step"),
        billed_account.alias("app.llm.account"),
        pl.when(pl.col("region").str.len_chars() > 0).then(pl.col("region")).alias("cloud.region"),
        pl.when(is_openai).then(answer(tier)).alias("openai.response.service_tier"),
        pl.when(is_batch).then(pl.lit(value=True)).alias("app.is_batch"),
        pl.col("error_type").alias("error.type"),
        answer(pl.col("prompt")).alias("gen_ai.usage.input_tokens"),
        answer(pl.col("output_tokens")).alias("gen_ai.usage.output_tokens"),
        count("cache_read_tokens").alias("gen_ai.usage.cache_read.input_tokens"),
        answer(_positive(pl.col("cache_write_5m_tokens") + pl.col("cache_write_1h_tokens"))).alias(
            "gen_ai.usage.cache_creation.input_tokens"
        ),
        count("cache_write_5m_tokens").alias("gen_ai.usage.cache_creation.ephemeral_5m_input_tokens"),
        count("cache_write_1h_tokens").alias("gen_ai.usage.cache_creation.ephemeral_1h_input_tokens"),
        count("reasoning_tokens").alias("gen_ai.usage.reasoning.output_tokens"),
        count("web_search_requests").alias("gen_ai.usage.server_tool_use.web_search_requests"),
        answer(_seconds("queue_us", "prefill_us")).alias("gen_ai.response.time_to_first_chunk"),
    )


def _positive(value: pl.Expr) -> pl.Expr:
    return pl.when(value > 0).then(value)


def _seconds(*columns: str) -> pl.Expr:
    """The sum of columns in microseconds as seconds."""
    return pl.sum_horizontal(columns) / 1_000_000


def _server_spans(calls: pl.DataFrame, world: World) -> pl.DataFrame:
    """What vLLM itself exports of calls to own GPUs: a span below the client's, which only it names a replica in."""
    hosts = {host.replica_id: host for host in company.GPU_HOSTS}
    served = calls.filter((pl.col("provider") == "vllm") & pl.col("is_answered"))
    places = {
        "emitter_cloud": {name: company.ACCOUNTS[host.account].cloud for name, host in hosts.items()},
        "emitter_account": {name: company.ACCOUNTS[host.account].account_id for name, host in hosts.items()},
        "emitter_region": {
            name: company.find_zone(host.account, host.zone).region for name, host in hosts.items()
        },
        "emitter_zone": {name: _zone_name(host, world) for name, host in hosts.items()},
    }
    served = served.with_columns(
        *(pl.col("replica_id").replace_strict(names).alias(column) for column, names in places.items()),
        parent_span_id=pl.col("span_id"),
        span_id=pl.col("span_id").str.reverse(),
        emitter_service=pl.lit("vllm"),
        emitter_instance=pl.col("replica_id"),
    )
    return served.select(
        *_times(),
        *_RESOURCE_KEYS,
        "trace_state",
        pl.lit("llm_request").alias("span_name"),
        pl.lit("server").alias("span_kind"),
        pl.lit(value=False).alias("is_error"),
        pl.col("span_copies").alias("copies"),
        pl.col("provider_request_id").alias("gen_ai.request.id"),
        pl.col("response_model").alias("gen_ai.response.model"),
        pl.col("prompt").alias("gen_ai.usage.prompt_tokens"),
        pl.col("output_tokens").alias("gen_ai.usage.completion_tokens"),
        _seconds("queue_us").alias("gen_ai.latency.time_in_queue"),
        _seconds("queue_us", "prefill_us").alias("gen_ai.latency.time_to_first_token"),
        _seconds("prefill_us").alias("gen_ai.latency.time_in_model_prefill"),
        _seconds("decode_us").alias("gen_ai.latency.time_in_model_decode"),
        _seconds("queue_us", "prefill_us", "decode_us").alias("gen_ai.latency.e2e"),
    )


def _zone_name(host: company.GpuHost, world: World) -> str:
    return host.zone if world.habits.zone_names > 0 else company.find_zone(host.account, host.zone).zone_id
