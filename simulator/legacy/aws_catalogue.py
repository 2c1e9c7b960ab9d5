"""What AWS sells to the company: services, usage types with list prices, and resources that run all day.

What belongs here: the wording and the prices of AWS's own price list, and the resources' tags. What
must not: how a line is built (`bills_aws`).
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.legacy.company import PRODUCTION, STAGING, Account

SAVINGS_PLAN_HOURLY = "0.95"
COVERED_HOURLY = "0.1462"  # what a covered m7i.xlarge hour takes from the Savings Plan


@dataclass(frozen=True)
class Service:
    """A service as the FOCUS columns name it."""

    name: str
    code: str
    category: str
    subcategory: str


BEDROCK = Service("Amazon Bedrock", "AmazonBedrock", "AI and Machine Learning", "Generative AI")
SAGEMAKER = Service("Amazon SageMaker", "AmazonSageMaker", "AI and Machine Learning", "Machine Learning")
EC2 = Service("Amazon Elastic Compute Cloud", "AmazonEC2", "Compute", "Virtual Machines")
EKS = Service("Amazon Elastic Container Service for Kubernetes", "AmazonEKS", "Compute", "Containers")
S3 = Service("Amazon Simple Storage Service", "AmazonS3", "Storage", "Object Storage")
OPENSEARCH = Service("Amazon OpenSearch Service", "AmazonES", "Analytics", "Search")
RDS = Service("Amazon Relational Database Service", "AmazonRDS", "Databases", "Relational Databases")
CLOUDWATCH = Service("AmazonCloudWatch", "AmazonCloudWatch", "Management and Governance", "Observability")
SUPPORT = Service("AWS Support (Business)", "AWSSupportBusiness", "Management and Governance", "Support")
SAVINGS_PLANS = Service("AWS Savings Plans", "ComputeSavingsPlans", "Compute", "Virtual Machines")

MODEL_NAMES = {"sonnet": "Claude4.5Sonnet", "haiku": "Claude4.5Haiku"}
TOKEN_METERS = (
    ("input-tokens", "uncached_tokens"),
    ("cache-read-input-token-count", "cache_read_tokens"),
    ("cache-write-input-token-count", "cache_write_tokens"),
    ("output-tokens", "output_tokens"),
)
TOKEN_PRICES = {  # USD per 1K tokens, in-region inference
    "sonnet": ("0.0033", "0.00033", "0.004125", "0.0165"),
    "haiku": ("0.0011", "0.00011", "0.001375", "0.0055"),
}


@dataclass(frozen=True)
class Meter:
    """A usage type: what is counted, its list price and the sentence that AWS prints."""

    service: Service
    usage_type: str
    list_price: str
    unit: str
    description: str
    operation: str = ""


@dataclass(frozen=True)
class Resource:
    """A resource that uses a fixed quantity of a meter each day; `is_office_hours` ones rest on weekends."""

    meter: Meter
    name: str
    kind: str
    daily_quantity: str
    account: Account = PRODUCTION
    zone: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    is_office_hours: bool = False
    is_covered: bool = False


M7I = Meter(
    EC2,
    "BoxUsage:m7i.xlarge",
    "0.2016",
    "Hrs",
    "$0.2016 per On Demand Linux m7i.xlarge Instance Hour",
    "RunInstances",
)
G6 = Meter(
    EC2,
    "BoxUsage:g6.xlarge",
    "0.8048",
    "Hrs",
    "$0.8048 per On Demand Linux g6.xlarge Instance Hour",
    "RunInstances",
)
EBS = Meter(
    EC2,
    "EBS:VolumeUsage.gp3",
    "0.08",
    "GB-Mo",
    "$0.08 per GB-month of General Purpose (gp3) storage",
    "CreateVolume-Gp3",
)
NAT_HOURS = Meter(EC2, "NatGateway-Hours", "0.045", "Hrs", "$0.045 per NAT Gateway Hour", "NatGateway")
NAT_BYTES = Meter(
    EC2, "NatGateway-Bytes", "0.045", "GB", "$0.045 per GB Data Processed by NAT Gateways", "NatGateway"
)
REGIONAL = "$0.010 per GB - regional data transfer - in/out/between EC2 AZs or using elastic IPs or ELB"
REGIONAL_IN = Meter(EC2, "DataTransfer-Regional-Bytes", "0.01", "GB", REGIONAL, "InterZone-In")
REGIONAL_OUT = Meter(EC2, "DataTransfer-Regional-Bytes", "0.01", "GB", REGIONAL, "InterZone-Out")
INTERNET = Meter(
    EC2,
    "DataTransfer-Out-Bytes",
    "0.09",
    "GB",
    "$0.090 per GB - first 10 TB / month data transfer out",
    "RunInstances",
)
EKS_HOURS = Meter(
    EKS,
    "USE1-AmazonEKS-Hours:perCluster",
    "0.10",
    "Hours",
    "Amazon EKS cluster usage in US East (N. Virginia)",
    "CreateOperation",
)
SEARCH_NODE = Meter(
    OPENSEARCH,
    "ESInstance:r6g.xlarge.search",
    "0.335",
    "Hrs",
    "$0.335 per r6g.xlarge.search hour in US East (N. Virginia)",
    "ESDomain",
)
DATABASE = Meter(
    RDS,
    "InstanceUsage:db.r6g.large",
    "0.225",
    "Hrs",
    "$0.225 per db.r6g.large Single-AZ instance hour running PostgreSQL",
    "CreateDBInstance:0014",
)
S3_STORAGE = Meter(
    S3,
    "TimedStorage-ByteHrs",
    "0.023",
    "GB-Mo",
    "$0.023 per GB - first 50 TB / month of storage used",
    "StandardStorage",
)
S3_REQUESTS = Meter(
    S3,
    "Requests-Tier1",
    "0.000005",
    "Requests",
    "$0.005 per 1,000 PUT, COPY, POST, or LIST requests",
    "PutObject",
)
LOGS_INGEST = Meter(
    CLOUDWATCH,
    "USE1-DataProcessing-Bytes",
    "0.50",
    "GB",
    "$0.50 per GB custom log data ingested in Standard log class",
    "PutLogEvents",
)
LOGS_STORE = Meter(
    CLOUDWATCH,
    "USE1-TimedStorage-ByteHrs",
    "0.03",
    "GB-Mo",
    "$0.03 per GB-mo of log storage",
    "HourlyStorageMetering",
)
METRICS = Meter(
    CLOUDWATCH,
    "CW:MetricMonitorUsage",
    "0.30",
    "Metrics",
    "$0.30 per metric-month for the first 10,000 metrics",
    "MetricStorage",
)
TRAINING = Meter(
    SAGEMAKER,
    "USE1-Train:ml.g5.2xlarge",
    "1.515",
    "Hrs",
    "$1.515 per Train ml.g5.2xlarge hour in US East (N. Virginia)",
    "RunInstance",
)

PLATFORM = (("env", "prod"), ("team", "platform"))


def app_tags(feature: str, team: str) -> tuple[tuple[str, str], ...]:
    """The tags of a production resource that one feature owns."""
    return (("app", feature), ("env", "prod"), ("team", team))


RESOURCES = (
    *(
        Resource(
            M7I,
            f"i-0e5{index}a7c41d90b6f2{index}",
            "Instance",
            "24",
            zone=f"us-east-1{'abc'[index % 3]}",
            tags=PLATFORM,
            is_office_hours=index >= 4,
            is_covered=True,
        )
        for index in range(6)
    ),
    Resource(
        M7I,
        "i-0b91c3d7e2f4a6580",
        "Instance",
        "24",
        zone="us-east-1c",
        tags=app_tags("code_review", "developer-tools"),
    ),
    Resource(M7I, "i-0a27f4e8815cd3b96", "Instance", "24", zone="us-east-1b"),
    Resource(
        M7I,
        "i-03d8b5c1fa6e94270",
        "Instance",
        "10",
        STAGING,
        "us-east-1a",
        (("env", "staging"),),
        is_office_hours=True,
    ),
    Resource(
        G6,
        "i-0f63a9d20b8c7e415",
        "Instance",
        "24",
        zone="us-east-1b",
        tags=app_tags("doc_search", "knowledge"),
    ),
    Resource(EBS, "vol-09c4e2f7b1d8a3560", "Volume", "41.6666666667", zone="us-east-1a", tags=PLATFORM),
    Resource(NAT_HOURS, "natgateway/nat-05b7d1e93ac2f8604", "NAT Gateway", "24"),
    Resource(EKS_HOURS, "cluster/quillworks", "Cluster", "24", tags=PLATFORM),
    Resource(SEARCH_NODE, "domain/quillworks-docs", "Domain", "48", tags=app_tags("doc_search", "knowledge")),
    Resource(
        DATABASE,
        "db:conversations-db",
        "Database",
        "24",
        zone="us-east-1a",
        tags=app_tags("support_chat", "customer-care"),
    ),
    Resource(
        S3_STORAGE,
        "quillworks-documents",
        "Bucket",
        "68.4193548387",
        tags=app_tags("doc_search", "knowledge"),
    ),
    Resource(S3_STORAGE, "quillworks-archive", "Bucket", "31.2258064516"),
    Resource(LOGS_STORE, "log-group:/ecs/public-api", "Log Group", "9.7741935484"),
    Resource(METRICS, "", "", "11.3333333333"),
)
