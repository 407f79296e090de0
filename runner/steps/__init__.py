"""One file a kind of step; `table.py` says which is which."""
