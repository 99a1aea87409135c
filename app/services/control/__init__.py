"""What a manager does with proposals, heartbeats and changes of its own number."""
