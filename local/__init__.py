"""Run the stack on one machine, without Docker or an AWS account."""
