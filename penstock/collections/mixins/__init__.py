"""Methods that DataFrame and Series share, by topic; each body builds a node or two."""
