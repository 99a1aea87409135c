"""The metadata store on SQL. `store.SqliteStore` is the door; no other floor sees a row or a statement."""
