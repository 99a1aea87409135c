"""Where the bytes of a cluster lie, as values: nodes, devices, profiles, epochs, and blob ids that tell their place.

Everything here is pure. `Placement` (placement.py) is what every role knows of it; commands change it
(core/cluster/layout_commands.py), and nothing else does.
"""
