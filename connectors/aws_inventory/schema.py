"""From what AWS lists to things, zones and accounts.

What belongs here: AWS's names of fields (botocore service models ec2 2016-11-15, logs 2014-03-28,
organizations 2016-11-28). What must not: calling AWS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.common.inventory import Account, Thing, Zone

SCHEMA_VERSION = 2
"""Raise it when the same answers would become other rows."""

_BALANCER = re.compile(r"ELB (?:app/|net/|gwy/)?([A-Za-z0-9-]+)(?:/[0-9a-f]+)?")
_GATEWAY = re.compile(r"Interface for NAT Gateway (nat-[0-9a-f]+)")


def build_tags(pairs: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return AWS's list of {Key, Value} as a mapping."""
    return {pair["Key"]: pair.get("Value", "") for pair in pairs or ()}


def build_instant(value: datetime | None) -> datetime | None:
    """Return a time of the AWS client as UTC without zone."""
    return None if value is None else value.astimezone(UTC).replace(tzinfo=None)


def build_zone(answer: Mapping[str, Any], account_id: str) -> Zone:
    """Return one of `DescribeAvailabilityZones`: the names of an account and what they are everywhere."""
    return Zone("aws", account_id, answer["ZoneName"], answer.get("ZoneId"), answer.get("RegionName"))


def build_instance(
    answer: Mapping[str, Any], zone_ids: Mapping[str, str], account_id: str, region: str
) -> Thing:
    """Return one of `DescribeInstances`, known by its id, its ARN and its addresses."""
    identifier = answer["InstanceId"]
    zone_name = (answer.get("Placement") or {}).get("AvailabilityZone")
    references = [
        ("instance", identifier),
        ("resource", f"arn:aws:ec2:{region}:{account_id}:instance/{identifier}"),
    ]
    references += [
        ("address", answer[key]) for key in ("PrivateIpAddress", "PublicIpAddress") if answer.get(key)
    ]
    return Thing(
        references=tuple(references),
        tags=build_tags(answer.get("Tags")),
        zone=zone_ids.get(zone_name or "", zone_name),
        since=build_instant(answer.get("LaunchTime")),
    )


def build_interface(
    answer: Mapping[str, Any], zone_ids: Mapping[str, str], instance_tags: Mapping[str, Mapping[str, str]]
) -> Thing:
    """Return one of `DescribeNetworkInterfaces`: its id and addresses, with its instance's tags below its own."""
    attachment = answer.get("Attachment") or {}
    addresses = {answer.get("PrivateIpAddress")}
    for private in answer.get("PrivateIpAddresses") or ():
        addresses |= {private.get("PrivateIpAddress"), (private.get("Association") or {}).get("PublicIp")}
    addresses.add((answer.get("Association") or {}).get("PublicIp"))
    addresses |= {six.get("Ipv6Address") for six in answer.get("Ipv6Addresses") or ()}
    inherited = {**_name_of(answer), **instance_tags.get(attachment.get("InstanceId", ""), {})}
    zone_name = answer.get("AvailabilityZone")
    return Thing(
        references=(
            ("eni", answer["NetworkInterfaceId"]),
            *(("address", address) for address in sorted(address for address in addresses if address)),
        ),
        tags={**inherited, **build_tags(answer.get("TagSet"))},
        zone=zone_ids.get(zone_name or "", zone_name),
        since=build_instant(attachment.get("AttachTime")),
    )


def _name_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """What an interface of AWS's own serves, as a name below all tags: load balancer, gateway, container service."""
    description = answer.get("Description") or ""
    balancer = _BALANCER.fullmatch(description)
    if balancer:
        return {"Name": balancer[1]}
    gateway = _GATEWAY.fullmatch(description)
    if gateway:
        return {"Name": gateway[1]}
    service = build_tags(answer.get("TagSet")).get("aws:ecs:serviceName")
    return {"Name": service} if service else {}


def build_log_group(answer: Mapping[str, Any], tags: Mapping[str, str]) -> Thing:
    """Return one of `DescribeLogGroups`, known by its name and its ARN; Lambda's groups name their function."""
    name = answer["logGroupName"]
    created = answer.get("creationTime")
    references = [("log_group", name)]
    if answer.get("arn"):
        references.append(("resource", answer["arn"].removesuffix(":*")))
    return Thing(
        references=tuple(references),
        tags=tags,
        since=None if created is None else datetime.fromtimestamp(created / 1000, UTC).replace(tzinfo=None),
        service=name.rsplit("/", 1)[-1] if name.startswith("/aws/lambda/") else None,
    )


def build_account(answer: Mapping[str, Any]) -> Account:
    """Return one of `ListAccounts` of AWS Organizations."""
    payer = answer["Arn"].split(":")[4]
    return Account(
        "aws", answer["Id"], answer.get("Name"), "AWS Account", None if payer == answer["Id"] else payer
    )
