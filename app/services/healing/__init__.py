"""Healing, on every file host: what is missing at home is remade, what lies elsewhere goes home, every byte is read.

Rooms: view.py (who is up, who leads), whereabouts.py (which device holds what), judging.py (how redundant that is),
mending.py (one blob made whole), sweeping.py (one group), rounds.py (group after group), straying.py (fragments away
from home), scrubbing.py (reading everything), ledger.py (the counts), healing.py (the turns of one node). On a gateway:
bucket_redundancy.py. Order and proof: docs/design/healing.md.
"""
