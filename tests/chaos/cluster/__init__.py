"""A whole cluster under fire: real processes, cuttable links, a recorded history, and what was promised."""
