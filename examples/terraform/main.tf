# Deploys CallReject as a CloudFormation stack. See docs/deploy.md for the URL of the template.
variable "template_url" { type = string }
variable "zim_secret_arn" { type = string }

resource "aws_cloudformation_stack" "call_reject" {
  name         = "call-reject"
  template_url = var.template_url
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters   = { ZimSecretArn = var.zim_secret_arn }
}

output "call_reject_url" { value = aws_cloudformation_stack.call_reject.outputs["CallRejectUrl"] }
