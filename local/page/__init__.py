"""The web page of the local stack. The simulator serves it, and `make run` connects it to the deployed stack."""
