"""Looking at AWS accounts by the AWS client library.

What belongs here: calls, pages, credentials, what a refusal means. What must not: field names (`schema.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.aws_inventory import schema
from connectors.aws_inventory.settings import Settings
from connectors.common.contract import CheckStep, LandingContext, SourceReport, TerminalError, TransientError
from connectors.common.inventory import Inventory, land_inventory


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land what exists now: `workloads`, `zones` and `accounts`."""
    return land_inventory(settings, context, schema.SCHEMA_VERSION, lambda: _look(settings))


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try each call once a region; say which permission is missing."""
    for role in _roles(settings):
        try:
            session = _open_session(settings, role)
            account_id = _call(_client(session, settings, "sts", settings.regions[0]).get_caller_identity)[
                "Account"
            ]
        except (TerminalError, TransientError) as error:
            yield CheckStep("credentials", False, str(error))
            continue
        yield CheckStep("credentials", True, f"account {account_id}")
        for region in settings.regions:
            yield _check_region(settings, session, region)


def _check_region(settings: Settings, session: Any, region: str) -> CheckStep:
    client = _client(session, settings, "ec2", region)
    try:
        zones = _call(client.describe_availability_zones)["AvailabilityZones"]
        _call(client.describe_network_interfaces, MaxResults=5)
        _call(client.describe_instances, MaxResults=5)
        _call(_client(session, settings, "logs", region).describe_log_groups, limit=1)
    except (TerminalError, TransientError) as error:
        return CheckStep(region, False, str(error))
    return CheckStep(region, True, f"{len(zones)} zones, interfaces, instances and log groups can be listed")


def _look(settings: Settings) -> Inventory:
    inventory = Inventory()
    for role in _roles(settings):
        session = _open_session(settings, role)
        account_id = _call(_client(session, settings, "sts", settings.regions[0]).get_caller_identity)[
            "Account"
        ]
        for region in settings.regions:
            _look_at_region(settings, session, account_id, region, inventory)
    if settings.organization:
        client = _client(_open_session(settings, None), settings, "organizations", "us-east-1")
        inventory.accounts = [
            schema.build_account(found) for found in _pages(client, "list_accounts", "Accounts")
        ]
    return inventory


def _look_at_region(
    settings: Settings, session: Any, account_id: str, region: str, inventory: Inventory
) -> None:
    client = _client(session, settings, "ec2", region)
    found = _call(client.describe_availability_zones, AllAvailabilityZones=False)["AvailabilityZones"]
    zones = [schema.build_zone(answer, account_id) for answer in found]
    zone_ids = {zone.zone_name: zone.zone_id for zone in zones if zone.zone_id}
    inventory.zones += zones
    reservations = _pages(client, "describe_instances", "Reservations")
    instances = [instance for reservation in reservations for instance in reservation["Instances"]]
    tags = {instance["InstanceId"]: schema.build_tags(instance.get("Tags")) for instance in instances}
    inventory.things += [schema.build_instance(each, zone_ids, account_id, region) for each in instances]
    inventory.things += [
        schema.build_interface(answer, zone_ids, tags)
        for answer in _pages(client, "describe_network_interfaces", "NetworkInterfaces")
    ]
    logs = _client(session, settings, "logs", region)
    for group in _pages(logs, "describe_log_groups", "logGroups"):
        arn = group.get("logGroupArn") or group["arn"].removesuffix(":*")
        group_tags = _call(logs.list_tags_for_resource, resourceArn=arn)["tags"]
        inventory.things.append(schema.build_log_group(group, group_tags))


def _roles(settings: Settings) -> tuple[str | None, ...]:
    return (None, *settings.assume_roles)


def _open_session(settings: Settings, role: str | None) -> Any:
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.Session(profile_name=settings.profile)
    except BotoCoreError as error:
        raise TerminalError(f"the AWS profile {settings.profile!r} cannot be used: {error}") from error
    if role is None:
        return session
    client = _client(session, settings, "sts", settings.regions[0])
    given = _call(client.assume_role, RoleArn=role, RoleSessionName="everycent-inventory")["Credentials"]
    return boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def _client(session: Any, settings: Settings, service: str, region: str) -> Any:
    from botocore.config import Config

    retries = Config(retries={"mode": "standard", "total_max_attempts": 6})
    return session.client(service, region_name=region, endpoint_url=settings.endpoint, config=retries)


def _pages(client: Any, operation: str, key: str) -> Iterator[Any]:
    pages = iter(client.get_paginator(operation).paginate())
    while True:
        page = _call(next, pages, None)
        if page is None:
            return
        yield from page[key]


def _call(operation: Any, *arguments: Any, **named: Any) -> Any:
    """Call AWS; what goes wrong is told in words, a refusal with the permission that AWS names."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        return operation(*arguments, **named)
    except ClientError as error:
        code, name = error.response["Error"].get("Code", "Unknown"), error.operation_name
        message = f"AWS refused {name} ({code})"
        if "Denied" in code or "Unauthorized" in code:
            message += "; allow it by the policy in connectors/aws_inventory/README.md"
        raise TerminalError(message) from error
    except NoCredentialsError as error:
        raise TerminalError(
            "no AWS credentials found; set AWS_PROFILE, the AWS_* variables, or run with an instance role"
        ) from error
    except BotoCoreError as error:
        raise TransientError(f"AWS could not be reached ({type(error).__name__}); try again") from error
