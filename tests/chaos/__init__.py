"""Seeded destruction: processes killed and disks filled under load, then everything acknowledged is read back."""
