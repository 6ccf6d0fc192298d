"""Workers killed and stopped at random, and what the database, the wire and the webhooks say afterwards."""
