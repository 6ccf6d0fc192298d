"""Workers killed and stopped at random while they dial and after a call, and what the database, the wire and the webhooks say
afterwards."""
