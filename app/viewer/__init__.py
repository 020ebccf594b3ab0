"""The 3D view: a scan as points, what the scores say of it, and where the defects are."""
