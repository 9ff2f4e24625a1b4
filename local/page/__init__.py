"""The page for people who try it: served by the simulator, and told of the deployed stack by `make run`."""
