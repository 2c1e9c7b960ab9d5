"""Inventories: AWS by its real client against a server, Kubernetes and Google assets from real file shapes.

What belongs here: what lands in workloads, zones and accounts. What must not: attribution by it.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.aws_inventory.client import check, land
from connectors.aws_inventory.settings import Settings
from connectors.azure_inventory import client as azure
from connectors.azure_inventory.settings import Settings as AzureSettings
from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.google_asset_files import client as google_assets
from connectors.google_asset_files.settings import Settings as GoogleSettings
from connectors.kubernetes_files import client as kubernetes
from connectors.kubernetes_files.settings import Settings as KubernetesSettings
from pipelines.night.inputs import build_status_table
from tests.servers.azure_cost_management import CLIENT, SECRET, TENANT, sign_in
from tests.servers.rest import Reply, Request, RestServer
from tests.servers.s3 import S3Server

REGION = "us-east-1"
AFTER_LAUNCH = datetime(2040, 1, 1)  # the server launches instances by its own clock


def read(report: SourceReport, dataset: str) -> list[dict[str, Any]]:
    """All current rows of a dataset."""
    tables = [pq.read_table(file.path) for file in report.current_files if file.dataset == dataset]
    return pa.concat_tables(tables).to_pylist() if tables else []


def by_reference(report: SourceReport) -> dict[str, dict[str, Any]]:
    """The workloads by what they are known by."""
    return {row["workload_ref"]: row for row in read(report, "workloads")}


@pytest.fixture
def aws(s3_server: S3Server) -> Any:
    """An EC2 client of an account with one tagged instance and a log group."""
    client = s3_server.client("ec2")
    image = client.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    client.run_instances(
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        InstanceType="m5.large",
        Placement={"AvailabilityZone": f"{REGION}b"},
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [
                    {"Key": "application", "Value": "retrieval"},
                    {"Key": "business_unit", "Value": "search"},
                    {"Key": "Name", "Value": "retriever"},
                    {"Key": "secret", "Value": "CANARY-PROMPT"},
                ],
            }
        ],
    )
    logs = s3_server.client("logs")
    logs.create_log_group(logGroupName="/aws/lambda/summarise", tags={"feature": "summary"})
    return client


def settings(server: S3Server, **changes: Any) -> Settings:
    """Settings as a config would give them."""
    return Settings.model_validate(
        {"name": "aws", "connector": "aws_inventory", "regions": [REGION], "endpoint": server.url} | changes
    )


def test_instances_interfaces_and_log_groups_are_known_by_all_their_references(
    s3_server: S3Server, aws: Any, lake_context: LandingContext
) -> None:
    report = land(settings(s3_server), lake_context)
    assert not report.has_fault, report.findings
    found = by_reference(report)
    instance = next(iter(aws.describe_instances()["Reservations"]))["Instances"][0]
    interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    zone_ids = {z["ZoneName"]: z["ZoneId"] for z in aws.describe_availability_zones()["AvailabilityZones"]}
    for reference in (instance["InstanceId"], interface, instance["PrivateIpAddress"]):
        row = found[reference]
        assert (row["service"], row["feature"], row["team"]) == ("retriever", "retrieval", "search")
        assert row["zone"] == zone_ids[f"{REGION}b"]
    assert found[instance["InstanceId"]]["valid_from"] == instance["LaunchTime"].replace(tzinfo=None)
    group = found["/aws/lambda/summarise"]
    assert (group["ref_kind"], group["service"], group["feature"]) == ("log_group", "summarise", "summary")
    zones = {row["zone_name"]: row["zone_id"] for row in read(report, "zones")}
    assert zones == zone_ids and len(zones) >= 3


def test_unconfigured_tags_stay_out_of_the_lake(
    s3_server: S3Server, aws: Any, lake_context: LandingContext
) -> None:
    land(settings(s3_server), lake_context)
    files = [path for path in lake_context.lake.rglob("*") if path.is_file()]
    assert len(files) > 3
    for path in files:
        assert b"CANARY" not in path.read_bytes(), path
        if path.suffix == ".parquet":
            assert "CANARY" not in str(pq.read_table(path).to_pydict()), path


def test_a_second_look_adds_only_what_changed(
    s3_server: S3Server, aws: Any, lake_context: LandingContext
) -> None:
    first = land(settings(s3_server), lake_context)
    rows = len(read(first, "workloads"))
    tomorrow = replace(lake_context, now=AFTER_LAUNCH)
    assert len(read(land(settings(s3_server), tomorrow), "workloads")) == rows
    instance_id = aws.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    aws.create_tags(Resources=[instance_id], Tags=[{"Key": "application", "Value": "chat"}])
    later = replace(lake_context, now=AFTER_LAUNCH + timedelta(days=1))
    statements = [
        row
        for row in read(land(settings(s3_server), later), "workloads")
        if row["workload_ref"] == instance_id
    ]
    assert [row["feature"] for row in sorted(statements, key=lambda r: r["valid_from"])] == [
        "retrieval",
        "chat",
    ]
    assert max(row["valid_from"] for row in statements) == later.now


def test_what_is_gone_stays_known_for_its_days(
    s3_server: S3Server, aws: Any, lake_context: LandingContext
) -> None:
    before = by_reference(land(settings(s3_server), lake_context))
    instance_id = aws.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    aws.terminate_instances(InstanceIds=[instance_id])
    later = replace(lake_context, now=lake_context.now + timedelta(days=30))
    assert instance_id in before
    assert instance_id in by_reference(land(settings(s3_server), later))


def test_member_accounts_have_their_names(s3_server: S3Server, lake_context: LandingContext) -> None:
    organizations = s3_server.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    organizations.create_account(AccountName="research", Email="research@example.com")
    report = land(settings(s3_server, organization=True), lake_context)
    accounts = {row["account_name"]: row for row in read(report, "accounts")}
    assert accounts["research"]["parent_account_id"] == accounts["master"]["account_id"]


def test_no_credentials_is_said_in_words(
    s3_server: S3Server, lake_context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    report = land(settings(s3_server), lake_context)
    assert [f.severity for f in report.findings] == [Severity.FAULT]
    assert "no AWS credentials found" in report.findings[0].message
    steps = list(check(settings(s3_server)))
    assert [step.is_ok for step in steps] == [False]


def test_check_says_what_can_be_listed(s3_server: S3Server, aws: Any) -> None:
    steps = list(check(settings(s3_server)))
    assert [step.is_ok for step in steps] == [True, True]
    assert "can be listed" in steps[1].message


PODS = {
    "kind": "List",
    "items": [
        {
            "kind": "Node",
            "metadata": {
                "name": "node-1",
                "labels": {
                    "topology.kubernetes.io/zone": "us-east-1b",
                    "topology.kubernetes.io/region": "us-east-1",
                },
            },
        },
        {
            "kind": "Pod",
            "metadata": {
                "name": "retriever-7d9f8b6c5d-x2x4z",
                "namespace": "search",
                "uid": "0b0c-1",
                "creationTimestamp": "2026-11-18T10:00:00Z",
                "labels": {"feature": "retrieval", "env": "production"},
                "ownerReferences": [
                    {"kind": "ReplicaSet", "name": "retriever-7d9f8b6c5d", "controller": True}
                ],
            },
            "spec": {"nodeName": "node-1"},
            "status": {
                "podIP": "10.0.3.7",
                "podIPs": [{"ip": "10.0.3.7"}],
                "startTime": "2026-11-18T10:00:05Z",
            },
        },
        {
            "kind": "Pod",
            "metadata": {"name": "agent", "namespace": "kube-system", "labels": {}},
            "spec": {"nodeName": "node-1", "hostNetwork": True},
            "status": {"podIP": "10.0.0.1"},
        },
        {
            "kind": "Service",
            "metadata": {"name": "vector-index", "namespace": "search", "labels": {"feature": "retrieval"}},
            "spec": {"clusterIPs": ["172.20.0.9", "None"]},
        },
    ],
}


def kubernetes_settings(folder: Path) -> KubernetesSettings:
    """Settings of a folder of lists on AWS nodes."""
    return KubernetesSettings.model_validate(
        {"name": "pods", "connector": "kubernetes_files", "path": str(folder), "provider": "aws"}
    )


def test_pods_have_owner_address_zone_and_time(tmp_path: Path, lake_context: LandingContext) -> None:
    folder = tmp_path / "pods"
    folder.mkdir()
    with gzip.open(folder / "20261118.json.gz", "wt") as stream:
        json.dump(PODS, stream, indent=4)
    report = kubernetes.land(kubernetes_settings(folder), lake_context)
    assert not report.has_fault, report.findings
    found = by_reference(report)
    pod = found["10.0.3.7"]
    assert (pod["service"], pod["feature"], pod["environment"]) == ("retriever", "retrieval", "production")
    assert (pod["zone"], pod["valid_from"]) == ("us-east-1b", datetime(2026, 11, 18, 10, 0, 5))
    assert found["search/retriever-7d9f8b6c5d-x2x4z"]["ref_kind"] == "pod"
    assert "10.0.0.1" not in found and "kube-system/agent" in found
    assert found["172.20.0.9"]["service"] == "vector-index"
    assert [(z["zone_name"], z["region_id"]) for z in read(report, "zones")] == [("us-east-1b", "us-east-1")]
    states = build_status_table([report], lake_context.now).to_pylist()
    assert [(row["dataset"], row["state"]) for row in states] == [("workloads", "ok"), ("zones", "ok")]


@pytest.mark.parametrize(
    "content",
    [
        '{"items": [{"kind": "Pod"}]}',
        '{"items": ',
        "[1, 2]",
        '{"kind": "Pod", "metadata": {"name": 3',
        "\x00\x01",
    ],
)
def test_another_file_is_refused_and_the_good_one_stays(
    content: str, tmp_path: Path, lake_context: LandingContext
) -> None:
    folder = tmp_path / "pods"
    folder.mkdir()
    (folder / "good.json").write_text(json.dumps(PODS))
    (folder / "other.json").write_text(content)
    report = kubernetes.land(kubernetes_settings(folder), lake_context)
    assert [f.file for f in report.findings if f.severity is Severity.FAULT] == ["other.json"]
    assert "10.0.3.7" in by_reference(report)


ASSETS = [
    {
        "name": "//compute.googleapis.com/projects/shop/zones/europe-west1-b/instances/ranker",
        "asset_type": "compute.googleapis.com/Instance",
        "resource": {
            "location": "europe-west1-b",
            "data": {
                "id": "42",
                "name": "ranker",
                "creationTimestamp": "2026-10-01T08:00:00.000-07:00",
                "labels": {"feature": "ranking", "team": "search"},
                "zone": "https://www.googleapis.com/compute/v1/projects/shop/zones/europe-west1-b",
                "networkInterfaces": [{"networkIP": "10.8.0.2", "accessConfigs": [{"natIP": "34.1.2.3"}]}],
            },
        },
    },
    {
        "name": "//cloudresourcemanager.googleapis.com/projects/1",
        "asset_type": "cloudresourcemanager.googleapis.com/Project",
        "resource": {
            "data": {"projectId": "shop", "name": "The shop", "parent": {"type": "folder", "id": "9"}},
        },
    },
]


@pytest.mark.parametrize("name", ["assets.json", "assets.jsonl"])
def test_google_assets_land_from_lines(name: str, tmp_path: Path, lake_context: LandingContext) -> None:
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / name).write_text("".join(json.dumps(asset) + "\n" for asset in ASSETS))
    values = {"name": "assets", "connector": "google_asset_files", "path": str(folder)}
    report = google_assets.land(GoogleSettings.model_validate(values), lake_context)
    assert not report.has_fault, report.findings
    found = by_reference(report)
    for reference in ("42", "10.8.0.2", "34.1.2.3"):
        row = found[reference]
        assert (row["service"], row["feature"], row["zone"]) == ("ranker", "ranking", "europe-west1-b")
        assert row["valid_from"] == datetime(2026, 10, 1, 15)
    assert [(a["account_id"], a["account_name"]) for a in read(report, "accounts")] == [("shop", "The shop")]


SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
MACHINE = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/Ranker"
)
ROWS: dict[str, list[dict[str, Any]]] = {
    "resources | where type !in~": [
        {
            "id": MACHINE,
            "name": "Ranker",
            "location": "eastus",
            "subscriptionId": SUBSCRIPTION,
            "tags": {"application": "ranking", "Name": "ranker"},
            "zones": ["2"],
            "createdTime": "2026-10-01T08:00:00.0000000Z",
        },
        {"id": f"{MACHINE}/extensions/x", "name": "x", "location": "eastus", "tags": None, "zones": None},
    ],
    "resources | where type =~": [
        {
            "id": MACHINE.replace("Microsoft.Compute/virtualMachines", "Microsoft.Network/networkInterfaces"),
            "location": "eastus",
            "tags": {"env": "production"},
            "machine": MACHINE.lower(),
            "configurations": [{"properties": {"privateIPAddress": "10.4.0.5"}}],
        }
    ],
    "resourcecontainers": [{"subscriptionId": SUBSCRIPTION, "name": "Research"}],
}


def answer_resource_graph(request: Request) -> Reply:
    """Azure Resource Graph in pages of one row, and the locations of a subscription."""
    if request.headers.get("Authorization", "").split(" ")[0] != "Bearer":
        return Reply(401, {"error": {"code": "AuthenticationFailed", "message": "no token"}})
    if request.path == f"/subscriptions/{SUBSCRIPTION}/locations":
        mappings = [{"logicalZone": "2", "physicalZone": "eastus-az3"}]
        return Reply(200, {"value": [{"name": "eastus", "availabilityZoneMappings": mappings}]})
    assert request.path == "/providers/Microsoft.ResourceGraph/resources"
    asked = request.json()
    assert asked["subscriptions"] == [SUBSCRIPTION] and asked["options"]["resultFormat"] == "objectArray"
    rows = next(found for start, found in ROWS.items() if asked["query"].startswith(start))
    position = int(asked["options"].get("$skipToken") or 0)
    body = {
        "totalRecords": len(rows),
        "count": 1,
        "resultTruncated": "false",
        "data": rows[position : position + 1],
    }
    if position + 1 < len(rows):
        body["$skipToken"] = str(position + 1)
    return Reply(200, body)


@pytest.fixture
def azure_settings(
    rest_tls: Any, no_credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[AzureSettings, RestServer]:
    """Settings that reach a Resource Graph over TLS, signed in by an authority over TLS."""
    server, login = rest_tls(answer_resource_graph), rest_tls(sign_in)
    for name, value in (("TENANT_ID", TENANT), ("CLIENT_ID", CLIENT), ("CLIENT_SECRET", SECRET)):
        monkeypatch.setenv(f"AZURE_{name}", value)
    values = {
        "name": "azure",
        "connector": "azure_inventory",
        "subscriptions": [SUBSCRIPTION],
        "management_endpoint": server.url,
        "authority": login.url,
        "is_private_authority": True,
    }
    return AzureSettings.model_validate(values), server


def test_azure_resources_interfaces_zones_and_names_land_page_by_page(
    azure_settings: tuple[AzureSettings, RestServer], lake_context: LandingContext
) -> None:
    report = azure.land(azure_settings[0], lake_context)
    assert not report.has_fault, report.findings
    found = by_reference(report)
    machine, address = found[MACHINE.lower()], found["10.4.0.5"]
    assert (machine["service"], machine["feature"], machine["zone"]) == ("ranker", "ranking", "eastus-2")
    assert machine["valid_from"] == datetime(2026, 10, 1, 8)
    assert (address["feature"], address["environment"], address["zone"]) == (
        "ranking",
        "production",
        "eastus-2",
    )
    zones = [(row["zone_name"], row["zone_id"], row["account_id"]) for row in read(report, "zones")]
    assert zones == [("eastus-2", "eastus-az3", SUBSCRIPTION)]
    assert [(row["account_id"], row["account_name"]) for row in read(report, "accounts")] == [
        (SUBSCRIPTION, "Research")
    ]
    assert all(step.is_ok for step in azure.check(azure_settings[0]))


def test_a_refusal_of_azure_names_the_role(
    azure_settings: tuple[AzureSettings, RestServer], lake_context: LandingContext
) -> None:
    settings_, server = azure_settings
    server.route = lambda request: Reply(403, {"error": {"code": "AuthorizationFailed", "message": "no"}})
    report = azure.land(settings_, lake_context)
    assert report.has_fault and "the role Reader" in report.findings[0].message
    assert [step.is_ok for step in azure.check(settings_)] == [False]


def test_lists_of_pods_are_series_of_looks(tmp_path: Path, lake_context: LandingContext) -> None:
    """Each row knows when its list was made, and which lists follow it: a folder a cluster."""
    for name in ("east/20261118T1000Z.json", "east/20261118T1100Z.json", "west/2026-11-18.json"):
        path = tmp_path / "pods" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(PODS) + " " * len(name))
    report = kubernetes.land(kubernetes_settings(tmp_path / "pods"), lake_context)
    looks = {(row["inventory_series"], row["observed_at"]) for row in read(report, "workloads")}
    assert looks == {
        ("east/.json", datetime(2026, 11, 18, 10)),
        ("east/.json", datetime(2026, 11, 18, 11)),
        ("west/.json", datetime(2026, 11, 18)),
    }


def test_a_pod_that_ran_to_its_end_gave_its_address_back(
    tmp_path: Path, lake_context: LandingContext
) -> None:
    folder = tmp_path / "pods"
    folder.mkdir()
    ended = {"state": {"terminated": {"finishedAt": "2026-11-18T10:30:00Z"}}}
    status = {"phase": "Succeeded", "podIP": "10.0.9.9", "containerStatuses": [ended, {"state": {}}]}
    job = {"kind": "Pod", "metadata": {"name": "job", "namespace": "shop"}, "spec": {}, "status": status}
    (folder / "20261118T1100Z.json").write_text(json.dumps({"items": [job]}))
    found = by_reference(kubernetes.land(kubernetes_settings(folder), lake_context))
    assert found["10.0.9.9"]["valid_to"] == datetime(2026, 11, 18, 10, 30)


def test_what_a_look_lists_no_more_has_ended_by_then(
    s3_server: S3Server, aws: Any, lake_context: LandingContext
) -> None:
    first = land(settings(s3_server), lake_context)
    group = s3_server.client("logs").describe_log_groups()["logGroups"][0]["logGroupName"]
    s3_server.client("logs").delete_log_group(logGroupName=group)
    later = replace(lake_context, now=lake_context.now + timedelta(days=1))
    ends = [
        row["valid_to"]
        for row in read(land(settings(s3_server), later), "workloads")
        if row["workload_ref"] == group
    ]
    assert sorted(ends, key=str) == sorted([None, later.now], key=str)
    again = land(settings(s3_server), replace(lake_context, now=lake_context.now + timedelta(days=2)))
    assert len(read(again, "workloads")) > len(read(first, "workloads"))
    assert [row["valid_to"] for row in read(again, "workloads") if row["workload_ref"] == group].count(
        None
    ) == 1
