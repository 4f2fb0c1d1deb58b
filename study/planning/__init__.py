"""Planning: from a study to cells and jobs, what they cost, and what changed since."""
