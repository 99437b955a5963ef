"""Tests of Penstock; the folders mirror the package."""
