"""Chunks over the devices of a cluster: the ChunkStore of a gateway, and what healing needs of it.

store.py is the port; writing.py and reading.py are its two halves, erasing.py deletes and lists. homes.py says where to
look in which order, stored.py how a chunk becomes what is stored, fragments.py how what is missing is made again.
"""
