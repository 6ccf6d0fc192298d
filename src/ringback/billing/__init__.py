"""Usage times price: the price book and the rating."""
