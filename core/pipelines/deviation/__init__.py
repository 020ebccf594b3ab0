"""Deviation from the nominal surface of good scans: the reference of metrology."""
