"""Reject ZIM call invitations through ZEGOCLOUD's server API.

Three modules know how a function is triggered: `http_api` translates API Gateway events, and only the functions behind
HTTPS import it; `objective` judges requests over HTTPS; `telemetry` logs the name of the trigger. `errors` is one table
for all triggers: it states the HTTP status of each outcome and what happens to a queued message.
"""
