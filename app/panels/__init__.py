"""The docks: each shows one side of the session and asks it for changes."""
