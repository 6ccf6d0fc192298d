"""All SQL, a file a noun.

Every statement names its account with `:account_id`. A function whose statement can't says "Cross-account" and
why in its docstring; a test looks for the others.
"""
