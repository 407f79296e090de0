"""Ensembles in processes of their own: the runner's side, the process's side, and the line between the two."""
