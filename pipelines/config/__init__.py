"""The config file: its keys, and reading it. Import `load_config`, `Config` and `ConfigError` from here."""

from pipelines.config.load import load_config
from pipelines.config.model import Config
from pipelines.config.problems import ConfigError

__all__ = ["Config", "ConfigError", "load_config"]
