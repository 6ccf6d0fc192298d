"""`make bench-ledger`: lists and pages of many executions, beside what else could serve them."""
