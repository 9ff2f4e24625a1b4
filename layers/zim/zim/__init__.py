"""Reject ZIM call invitations through ZEGOCLOUD's server API.

`call_reject`, `credentials`, `rate_limit`, `request`, `response`, `return_codes`, `server_api` and `settings` do not
depend on how a function is triggered. Two modules do: `http_api` translates API Gateway events and is imported only by
the functions behind HTTPS, and `errors` states for every outcome both its HTTP status and what happens to a queued
message, so that the whole table is in one place.
"""
