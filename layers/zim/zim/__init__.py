"""Rejects ZIM call invitations through ZEGOCLOUD's server API; knows nothing of what triggers it."""
