"""What a number does with those who call it."""
