"""Pure functions on blocks: they know nothing of plans, files, budgets or settings."""
