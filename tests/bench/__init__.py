"""The benchmark: the same client against ZapFS and against what the machine could do at best."""
