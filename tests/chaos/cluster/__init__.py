"""A whole cluster under fire: real processes, cuttable links, a recorded history, and the checks of what was promised."""
