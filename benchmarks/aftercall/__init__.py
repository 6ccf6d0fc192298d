"""What comes after the call, on both databases: records completed, webhooks delivered, the store audited."""
