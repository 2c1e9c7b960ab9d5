/*
description: >
    The bill as a FOCUS 1.3 Cost and Usage dataset. A charge that was split is rows of a split cost allocation (Allocated
    columns), one a part, that sum to the charge to the last digit; who caused it stands in the x_ columns too.
grain: [x_ChargeId, x_CellId, x_RowId]
materialized: view
columns:
    AllocatedMethodDetails: null
    AllocatedMethodId: null
    AllocatedResourceId: null
    AllocatedResourceName: null
    AllocatedTags: null
    AvailabilityZone: null
    BilledCost: null
    BillingAccountId: null
    BillingAccountName: null
    BillingAccountType: null
    BillingCurrency: null
    BillingPeriodEnd: null
    BillingPeriodStart: null
    CapacityReservationId: null
    CapacityReservationStatus: null
    ChargeCategory: null
    ChargeClass: null
    ChargeDescription: null
    ChargeFrequency: null
    ChargePeriodEnd: null
    ChargePeriodStart: null
    CommitmentDiscountCategory: null
    CommitmentDiscountId: null
    CommitmentDiscountName: null
    CommitmentDiscountQuantity: null
    CommitmentDiscountStatus: null
    CommitmentDiscountType: null
    CommitmentDiscountUnit: null
    ConsumedQuantity: null
    ConsumedUnit: null
    ContractApplied: null
    ContractedCost: null
    ContractedUnitPrice: null
    EffectiveCost: null
    HostProviderName: null
    InvoiceId: null
    InvoiceIssuerName: null
    ListCost: null
    ListUnitPrice: null
    PricingCategory: null
    PricingCurrency: null
    PricingCurrencyContractedUnitPrice: null
    PricingCurrencyEffectiveCost: null
    PricingCurrencyListUnitPrice: null
    PricingQuantity: null
    PricingUnit: null
    ProviderName: null
    PublisherName: null
    RegionId: null
    RegionName: null
    ResourceId: null
    ResourceName: null
    ResourceType: null
    ServiceCategory: null
    ServiceName: null
    ServiceProviderName: null
    ServiceSubcategory: null
    SkuId: null
    SkuMeter: null
    SkuPriceDetails: null
    SkuPriceId: null
    SubAccountId: null
    SubAccountName: null
    SubAccountType: null
    Tags: null
    x_Agent: null
    x_AgentStep: null
    x_AllocatedRatio: null
    x_CellId: null
    x_ChargeDate: null
    x_ChargeId: null
    x_CostDriver: null
    x_CostState: null
    x_Customer: null
    x_DeliveredAllocatedMethodId: null
    x_DeliveredAllocatedResourceId: null
    x_Endpoint: null
    x_Environment: null
    x_Evidence: null
    x_Feature: null
    x_FromZone: null
    x_InstanceType: null
    x_MethodId: null
    x_Model: null
    x_Operation: null
    x_OwnerId: null
    x_PrincipalId: null
    x_ResidualReason: null
    x_RowId: null
    x_RuleId: null
    x_ServiceCode: null
    x_ServiceTier: null
    x_SkuGroup: null
    x_SnapshotId: null
    x_Source: null
    x_Team: null
    x_Tenant: null
    x_TokenClass: null
    x_ToZone: null
    x_TrafficKind: null
    x_UserId: null
    x_Workflow: null
*/
with

parts as (select * from core.charge_parts)

select
    parts.allocated_method_details as "AllocatedMethodDetails",
    parts.allocated_method_id as "AllocatedMethodId",
    parts.allocated_resource_id as "AllocatedResourceId",
    parts.allocated_resource_name as "AllocatedResourceName",
    parts.allocated_tags as "AllocatedTags",
    parts.availability_zone as "AvailabilityZone",
    parts.billed_cost as "BilledCost",
    parts.billing_account_id as "BillingAccountId",
    parts.billing_account_name as "BillingAccountName",
    parts.billing_account_type as "BillingAccountType",
    parts.billing_currency as "BillingCurrency",
    parts.billing_period_end as "BillingPeriodEnd",
    parts.billing_period_start as "BillingPeriodStart",
    parts.capacity_reservation_id as "CapacityReservationId",
    parts.capacity_reservation_status as "CapacityReservationStatus",
    parts.charge_category as "ChargeCategory",
    parts.charge_class as "ChargeClass",
    parts.charge_description as "ChargeDescription",
    parts.charge_frequency as "ChargeFrequency",
    parts.charge_period_end as "ChargePeriodEnd",
    parts.charge_period_start as "ChargePeriodStart",
    parts.commitment_discount_category as "CommitmentDiscountCategory",
    parts.commitment_discount_id as "CommitmentDiscountId",
    parts.commitment_discount_name as "CommitmentDiscountName",
    parts.commitment_discount_quantity as "CommitmentDiscountQuantity",
    parts.commitment_discount_status as "CommitmentDiscountStatus",
    parts.commitment_discount_type as "CommitmentDiscountType",
    parts.commitment_discount_unit as "CommitmentDiscountUnit",
    parts.consumed_quantity as "ConsumedQuantity",
    parts.consumed_unit as "ConsumedUnit",
    parts.contract_applied as "ContractApplied",
    parts.contracted_cost as "ContractedCost",
    parts.contracted_unit_price as "ContractedUnitPrice",
    parts.effective_cost as "EffectiveCost",
    parts.host_provider_name as "HostProviderName",
    parts.invoice_id as "InvoiceId",
    parts.invoice_issuer_name as "InvoiceIssuerName",
    parts.list_cost as "ListCost",
    parts.list_unit_price as "ListUnitPrice",
    parts.pricing_category as "PricingCategory",
    parts.pricing_currency as "PricingCurrency",
    parts.pricing_currency_contracted_unit_price as "PricingCurrencyContractedUnitPrice",
    parts.pricing_currency_effective_cost as "PricingCurrencyEffectiveCost",
    parts.pricing_currency_list_unit_price as "PricingCurrencyListUnitPrice",
    parts.pricing_quantity as "PricingQuantity",
    parts.pricing_unit as "PricingUnit",
    parts.service_provider_name as "ProviderName",
    parts.publisher_name as "PublisherName",
    parts.region_id as "RegionId",
    parts.region_name as "RegionName",
    parts.resource_id as "ResourceId",
    parts.resource_name as "ResourceName",
    parts.resource_type as "ResourceType",
    parts.service_category as "ServiceCategory",
    parts.service_name as "ServiceName",
    parts.service_provider_name as "ServiceProviderName",
    parts.service_subcategory as "ServiceSubcategory",
    parts.sku_id as "SkuId",
    parts.sku_meter as "SkuMeter",
    parts.sku_price_details as "SkuPriceDetails",
    parts.sku_price_id as "SkuPriceId",
    parts.sub_account_id as "SubAccountId",
    parts.sub_account_name as "SubAccountName",
    parts.sub_account_type as "SubAccountType",
    parts.tags as "Tags",
    parts.agent as "x_Agent",
    parts.agent_step as "x_AgentStep",
    parts.x_allocated_ratio as "x_AllocatedRatio",
    parts.cell_id as "x_CellId",
    parts.charge_date as "x_ChargeDate",
    parts.charge_id as "x_ChargeId",
    parts.cost_driver as "x_CostDriver",
    parts.cost_state as "x_CostState",
    parts.customer as "x_Customer",
    parts.x_delivered_allocated_method_id as "x_DeliveredAllocatedMethodId",
    parts.x_delivered_allocated_resource_id as "x_DeliveredAllocatedResourceId",
    parts.endpoint as "x_Endpoint",
    parts.environment as "x_Environment",
    parts.evidence as "x_Evidence",
    parts.feature as "x_Feature",
    parts.from_zone as "x_FromZone",
    parts.x_instance_type as "x_InstanceType",
    parts.method_id as "x_MethodId",
    parts.model as "x_Model",
    parts.x_operation as "x_Operation",
    parts.owner_id as "x_OwnerId",
    parts.x_principal_id as "x_PrincipalId",
    parts.residual_reason as "x_ResidualReason",
    parts.row_id as "x_RowId",
    parts.rule_id as "x_RuleId",
    parts.x_service_code as "x_ServiceCode",
    parts.service_tier as "x_ServiceTier",
    parts.x_sku_group as "x_SkuGroup",
    parts.x_snapshot_id as "x_SnapshotId",
    parts.x_source as "x_Source",
    parts.team as "x_Team",
    parts.tenant as "x_Tenant",
    parts.token_class as "x_TokenClass",
    parts.to_zone as "x_ToZone",
    parts.traffic_kind as "x_TrafficKind",
    parts.user_id as "x_UserId",
    parts.workflow as "x_Workflow"
from parts
