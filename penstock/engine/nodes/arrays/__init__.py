"""Operations on arrays: one operation, one node class."""
