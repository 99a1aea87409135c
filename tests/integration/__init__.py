"""Tests against real `zapfs server` processes by real clients."""
