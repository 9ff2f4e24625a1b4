"""A simulator of ZIM's `CallReject` server API, with faults on demand."""
