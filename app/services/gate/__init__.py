"""Who calls, and what he may do: every request passes here."""
