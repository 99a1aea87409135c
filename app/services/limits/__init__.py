"""How much of the system accounts and buckets may take: quotas on what is stored, rates of what is asked."""
