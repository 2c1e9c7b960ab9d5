"""Settings of AWS VPC flow logs.

What belongs here: what the config may say about them. What must not: reading files.
"""

from __future__ import annotations

from pydantic import Field, field_validator

from connectors.common.flows.addresses import INVALID, AddressBook
from connectors.common.flows.settings import FlowLogSettings


class Settings(FlowLogSettings):
    """A folder of VPC flow logs as AWS delivers them to S3: `path: s3://BUCKET/AWSLogs/`."""

    connector: str = "aws_flow_logs"
    nat_addresses: tuple[str, ...] = Field(
        default=(),
        description=(
            "Private addresses of NAT gateways. Needed only where the logs lack the fields pkt-srcaddr and "
            "pkt-dstaddr: what leaves these addresses was sent by others."
        ),
    )

    @field_validator("nat_addresses")
    @classmethod
    def _check_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if AddressBook().find(text)[1] == INVALID:
                raise ValueError(f"{text!r} is no address")
        return tuple(str(AddressBook().find(text)[0] or text) for text in value)
