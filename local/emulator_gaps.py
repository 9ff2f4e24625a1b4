"""What the emulator leaves out of an unmodified `sam deploy`, done by hand after it. On AWS none of this is needed.

Seen with MiniStack 1.5.33. When a gap is closed there, its function goes from here.
"""

from collections.abc import Callable
from typing import Any


def close(client: Callable[[str], Any], stack_name: str) -> None:
    """Close every gap of the stack that was just deployed; `client` makes boto3 clients for the emulator."""
    resources = client("cloudformation").describe_stack_resources(StackName=stack_name)["StackResources"]
    reserve_concurrency(client("lambda"), resources)


def reserve_concurrency(functions: Any, resources: list[dict[str, Any]]) -> None:
    """`ReservedConcurrentExecutions` of a function is ignored: set it, to what its environment says."""
    for resource in resources:
        if resource["ResourceType"] == "AWS::Lambda::Function":
            name = resource["PhysicalResourceId"]
            variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            functions.put_function_concurrency(
                FunctionName=name, ReservedConcurrentExecutions=int(variables["RESERVED_CONCURRENCY"])
            )
