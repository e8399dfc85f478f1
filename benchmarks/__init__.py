"""How fast each job is, beside the least that the machine could do for the same work, measured in the same run."""
