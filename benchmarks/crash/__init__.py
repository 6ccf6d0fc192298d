"""Workers killed and stopped at random while they dial, and what the database and the wire say afterwards."""
