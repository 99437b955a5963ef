"""The operations of plans, one node class each."""
