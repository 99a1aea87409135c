"""IAM's actions of the query API, a module for each kind of entity; table.py is the way in."""
