"""What a changed file means for what runs: the differences, their causes, and the order in which they can be applied.

Pure: `reconcile` decides, the host acts.
"""
