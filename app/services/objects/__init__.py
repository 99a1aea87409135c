"""What is done to objects and their versions."""
