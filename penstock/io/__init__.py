"""Formats: sources that read them in splits, sinks that write them all or nothing."""
