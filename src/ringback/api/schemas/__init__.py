"""The shapes of answers that are served as stored bytes. They describe only; nothing is serialised with them."""
