"""What the emulator leaves out of an unmodified `sam deploy`, done by hand after it. On AWS none of this is needed.

Seen with MiniStack 1.5.33. When a gap is closed there, its function goes from here.
"""

from collections.abc import Callable
from typing import Any


def close(client: Callable[[str], Any], stack_name: str) -> None:
    """Close every gap of the stack that was just deployed; `client` makes boto3 clients for the emulator."""
    resources = client("cloudformation").describe_stack_resources(StackName=stack_name)["StackResources"]
    functions = client("lambda")
    reserved = reserve_concurrency(functions, resources)
    limit_event_sources(functions, reserved)
    parameters = client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0].get("Parameters", [])
    given = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in parameters}
    allow_origins(client("apigatewayv2"), resources, given.get("AllowedOrigins", ""))


def reserve_concurrency(functions: Any, resources: list[dict[str, Any]]) -> dict[str, int]:
    """`ReservedConcurrentExecutions` of a function is ignored: set it, to what its environment says; return all."""
    reserved = {}
    for resource in resources:
        if resource["ResourceType"] == "AWS::Lambda::Function":
            name = resource["PhysicalResourceId"]
            configuration = functions.get_function_configuration(FunctionName=name)
            environments = configuration["Environment"]["Variables"].get("RESERVED_CONCURRENCY")
            if environments:
                reserved[configuration["FunctionArn"]] = int(environments)
                functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(environments))
    return reserved


def limit_event_sources(functions: Any, reserved: dict[str, int]) -> None:
    """`MaximumConcurrency` of an event source arrives as text, which stops its poller: set it as a number."""
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        function, _alias = mapping["FunctionArn"].rsplit(":", 1)
        functions.update_event_source_mapping(
            UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": reserved[function]}
        )


def allow_origins(apis: Any, resources: list[dict[str, Any]], origins: str) -> None:
    """`CorsConfiguration` of the API is lost: set it, as the template says."""
    if origins:
        (api,) = (
            resource["PhysicalResourceId"]
            for resource in resources
            if resource["ResourceType"] == "AWS::ApiGatewayV2::Api"
        )
        apis.update_api(
            ApiId=api,
            CorsConfiguration={
                "AllowOrigins": origins.split(","),
                "AllowMethods": ["POST"],
                "AllowHeaders": [
                    "authorization",
                    "content-type",
                    "x-amz-content-sha256",
                    "x-amz-date",
                    "x-amz-security-token",
                ],
                "ExposeHeaders": ["retry-after"],
                "MaxAge": 600,
            },
        )
