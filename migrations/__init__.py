"""The schema's history: numbered SQL files and the one function that brings a database up to date."""
