"""Settings that MiniStack 1.5.33 ignores in a template, made after `sam deploy`. AWS needs none of this.

When MiniStack supports one of them, remove its function here.
"""

from collections.abc import Callable, Mapping
from typing import Any


def close(client: Callable[[str], Any], stack_name: str, parameters: Mapping[str, str]) -> None:
    """Make the ignored settings for a deployed stack.

    Parameters
    ----------
    client
        returns a boto3 client for the emulator.
    stack_name
        the name of the stack.
    parameters
        the values of its parameters.
    """
    resources = client("cloudformation").describe_stack_resources(StackName=stack_name)["StackResources"]
    reserved = reserve_concurrency(client("lambda"), resources)
    limit_event_sources(client("lambda"), reserved)
    allow_origins(client("apigatewayv2"), resources, parameters.get("AllowedOrigins", ""))


def reserve_concurrency(functions: Any, resources: list[dict[str, Any]]) -> dict[str, int]:
    """Set `ReservedConcurrentExecutions` from the variable RESERVED_CONCURRENCY; return the values by ARN."""
    reserved = {}
    for resource in resources:
        if resource["ResourceType"] == "AWS::Lambda::Function":
            name = resource["PhysicalResourceId"]
            configuration = functions.get_function_configuration(FunctionName=name)
            concurrency = configuration["Environment"]["Variables"].get("RESERVED_CONCURRENCY")
            if concurrency:
                reserved[configuration["FunctionArn"]] = int(concurrency)
                functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(concurrency))
    return reserved


def limit_event_sources(functions: Any, reserved: dict[str, int]) -> None:
    """Set `MaximumConcurrency` of event sources as a number. MiniStack stores a string, which stops its poller."""
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        function, _alias = mapping["FunctionArn"].rsplit(":", 1)
        scaling = {"MaximumConcurrency": reserved[function]}
        functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig=scaling)


def allow_origins(apis: Any, resources: list[dict[str, Any]], origins: str) -> None:
    """Set `CorsConfiguration` of the HTTP API, with the values of `template.yaml`."""
    if not origins:
        return
    headers = ["authorization", "content-type", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"]
    cors = {
        "AllowOrigins": origins.split(","),
        "AllowMethods": ["POST"],
        "AllowHeaders": headers,
        "ExposeHeaders": ["retry-after"],
        "MaxAge": 600,
    }
    for resource in resources:
        if resource["ResourceType"] == "AWS::ApiGatewayV2::Api":
            apis.update_api(ApiId=resource["PhysicalResourceId"], CorsConfiguration=cors)
