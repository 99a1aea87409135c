"""Raft under a simulated clock, network and disk: the same seed is the same run."""
