"""What the server tells about itself: log lines and numbers."""
