"""What an agent is: the definition that clients send, and the plan compiled from it."""
