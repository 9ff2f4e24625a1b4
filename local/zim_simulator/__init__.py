"""A server that answers like ZIM's `CallReject` server API, and misbehaves when told to."""
