"""The code location of Dagster's web interface and daemon: the definitions of one config.

What belongs here: reading the config that EVERYCENT_CONFIG names, by default the sample company's. What must
not: assets, jobs, schedules (`pipelines.defs`).
"""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.arguments import CONFIG_VARIABLE
from pipelines.config import load_config
from pipelines.defs.build import build_defs
from pipelines.night.run import load_models

SAMPLE_CONFIG = Path(__file__).resolve().parents[1] / "examples" / "sample" / "everycent.yml"

_config = load_config(Path(os.environ.get(CONFIG_VARIABLE) or SAMPLE_CONFIG))
defs = build_defs(_config, load_models(_config.home), has_lineage=True)
