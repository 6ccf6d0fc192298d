"""Requests to outside servers that users name: which addresses are allowed, and how they are reached."""
