"""View: what can be looked at in a store, and pictures of it; for the web, the terminal and notebooks alike.

What stands beside what comes from the layout (`zarrange.language.arrangement`), never from names in the code.
"""
