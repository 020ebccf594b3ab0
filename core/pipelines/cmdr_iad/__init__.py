"""CMDR-IAD: cross-modal mapping and dual-branch reconstruction of image and surface features."""
