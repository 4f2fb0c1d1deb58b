"""Everything that a study file only names, looked up on this machine."""
