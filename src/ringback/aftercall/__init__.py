"""What a finished call meant: extraction, rating, the completed record."""
