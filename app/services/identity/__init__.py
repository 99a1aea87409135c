"""Accounts, users, policies and keys, as an administrator changes them."""
