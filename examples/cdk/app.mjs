// Deploys CallReject as a nested stack of a CDK app. See docs/deploy.md for the URL of the template.
import { App, CfnOutput, CfnStack, Stack } from "aws-cdk-lib";

const stack = new Stack(new App(), "MyApp");
const callReject = new CfnStack(stack, "CallReject", {
  templateUrl: stack.node.getContext("templateUrl"),
  parameters: { ZimSecretArn: stack.node.getContext("zimSecretArn") },
});
new CfnOutput(stack, "CallRejectUrl", { value: callReject.getAtt("Outputs.CallRejectUrl").toString() });
