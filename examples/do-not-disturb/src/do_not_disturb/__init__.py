"""Receives ZIM's callbacks of invitations, and the users' settings for "do not disturb"."""
