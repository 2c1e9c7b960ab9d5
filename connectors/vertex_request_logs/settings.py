"""Settings of a source of Vertex AI's request logs.

What belongs here: what the config may say about it. What must not: reading logs.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from connectors.common.logs.objects import LogSettings
from connectors.common.logs.requests import LabelNames


class FieldNames(BaseModel):
    """Where a log entry keeps what is read: dotted paths into the entry, which win over the names that are known.

    Needed only where Google writes a field under a name of its own that `schema.NAMES` does not list.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt_tokens: tuple[str, ...] = ()
    answer_tokens: tuple[str, ...] = ()
    thought_tokens: tuple[str, ...] = ()
    cached_tokens: tuple[str, ...] = ()
    tool_tokens: tuple[str, ...] = ()
    cache_write_tokens: tuple[str, ...] = ()
    cache_write_5m_tokens: tuple[str, ...] = ()
    cache_write_1h_tokens: tuple[str, ...] = ()
    total_tokens: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    response_id: tuple[str, ...] = ()
    request_id: tuple[str, ...] = ()
    started_at: tuple[str, ...] = ()
    latency: tuple[str, ...] = ()
    error_code: tuple[str, ...] = ()
    traffic_type: tuple[str, ...] = ()
    burndown: tuple[str, ...] = ()
    sampling_rate: tuple[str, ...] = ()


class Settings(LogSettings):
    """Log entries that a sink of Cloud Logging writes to Cloud Storage, or a copy of them."""

    connector: str = "vertex_request_logs"
    pattern: str = Field(default="**/*.json*", description="Which objects below it.")
    logs: tuple[str, ...] = Field(
        default=(),
        description="Folders of the logs below `path`. Stated, only the days that matter are listed.",
    )
    attributes: LabelNames = Field(
        default_factory=LabelNames,
        description="Which request labels, else header labels, mean an attribution key.",
    )
    fields: FieldNames = Field(default_factory=FieldNames, description="Names of fields, where they differ.")
    output_includes_thoughts: bool | None = Field(
        default=None,
        description=(
            "Whether Gemini's output tokens hold its thoughts. Default: told by the total where there is one, else "
            "they do not, as in Gemini's own usage."
        ),
    )
