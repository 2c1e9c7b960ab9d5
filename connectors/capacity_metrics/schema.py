"""Names of the metrics of vLLM, SGLang and DCGM, and what each says.

What belongs here: names and meanings. What must not: reading files, arithmetic.

Sources: vLLM `docs/design/metrics.md` and `vllm/v1/metrics/loggers.py`, SGLang `python/sglang/srt/observability`
and its production metrics page, DCGM exporter's default counters.
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class MetricFamily:
    """Metrics of one kind of server: role → names, of which the first that a target has counts."""

    provider: str
    running: tuple[str, ...]
    kv_cache: tuple[str, ...]
    requests: tuple[str, ...]
    input_tokens: tuple[str, ...]
    cache_read_tokens: tuple[str, ...]
    output_tokens: tuple[str, ...]
    prefill_seconds: tuple[str, ...]
    decode_seconds: tuple[str, ...]

    @property
    def counters(self) -> dict[str, tuple[str, ...]]:
        """Column of `capacity` → names of the counter."""
        return {
            "requests": self.requests,
            "input_tokens": self.input_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "output_tokens": self.output_tokens,
            "prefill_seconds": self.prefill_seconds,
            "decode_seconds": self.decode_seconds,
        }

    @property
    def names(self) -> frozenset[str]:
        """Every metric of this kind of server that is read."""
        listed = (self.running, self.kv_cache, *self.counters.values())
        return frozenset(name for names in listed for name in names)


VLLM = MetricFamily(
    provider="vllm",
    running=("vllm:num_requests_running",),
    kv_cache=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    requests=("vllm:request_success_total",),
    input_tokens=("vllm:prompt_tokens_total",),
    cache_read_tokens=("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
    output_tokens=("vllm:generation_tokens_total",),
    prefill_seconds=("vllm:request_prefill_time_seconds_sum",),
    decode_seconds=("vllm:request_decode_time_seconds_sum",),
)
SGLANG = MetricFamily(
    provider="sglang",
    running=("sglang:num_running_reqs",),
    kv_cache=("sglang:token_usage",),
    requests=("sglang:num_requests_total",),
    input_tokens=("sglang:prompt_tokens_total",),
    cache_read_tokens=("sglang:cached_tokens_total",),
    output_tokens=("sglang:generation_tokens_total",),
    prefill_seconds=(),
    decode_seconds=(),
)
SERVERS = (VLLM, SGLANG)

REALTIME_TOKENS = "sglang:realtime_tokens_total"
"""SGLang's tokens as they are computed, by `mode`: they count what the request counters count only at a call's end."""
REALTIME_MODES = {
    "input_tokens": ("prefill_compute", "prefill_cache"),
    "cache_read_tokens": ("prefill_cache",),
    "output_tokens": ("decode",),
}

RANK_LABELS = ("tp_rank", "pp_rank", "moe_ep_rank")
"""SGLang repeats a replica's metrics once a rank that computes a part of every call: only rank 0 counts."""
SUBSET_LABELS = ("priority",)
"""Series of some requests, which the series without the label counts too."""

GPU_UTILISATION = "DCGM_FI_DEV_GPU_UTIL"
"""Share of time with a kernel running, in percent, a GPU."""

WANTED = frozenset({*VLLM.names, *SGLANG.names, REALTIME_TOKENS, GPU_UTILISATION})
