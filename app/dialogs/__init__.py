"""The dialogs: each asks for one thing, or tells one."""
