"""Settings of Oracle's cost reports.

What belongs here: what the config may say about them. What must not: reading files.
"""

from __future__ import annotations

from connectors.common.stores.settings import StoredFileSettings


class Settings(StoredFileSettings):
    """A folder of Oracle's FOCUS reports, on disk or in an object store.

    For a bucket of Oracle's `path` is `s3://BUCKET/FOLDER`, `endpoint` its S3-compatible address and `region` the
    bucket's region.
    """

    connector: str = "oci_cost_reports"
