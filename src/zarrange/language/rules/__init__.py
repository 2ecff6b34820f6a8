"""The rules that a loaded layout is held against: one function a rule, named after the bad pattern."""
