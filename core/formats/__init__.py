"""Readers and writers, one file a format. The front door is ``core.formats.reader.read_scan``."""
