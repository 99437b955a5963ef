"""Observers: what turns the events of a run into something to look at."""
