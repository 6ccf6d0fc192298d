"""Agents: definition and prompts are JSON texts that only `ringback.agents` reads."""

from typing import Final

INSERT: Final = """
INSERT INTO agents (account_id, id, definition, prompts, status, created_at, updated_at)
VALUES (:account_id, :id, :definition, :prompts, :status, :now, :now)
"""

GET: Final = """
SELECT account_id, id, definition, prompts, status, created_at, updated_at FROM agents
WHERE account_id = :account_id AND id = :id
"""

# Nobody else changes it until the transaction ends.
LOCK: Final = GET + "FOR UPDATE"

# A page, newest first, after the agent with this creation time and id.
NEXT_PAGE: Final = """
SELECT account_id, id, definition, prompts, status, created_at, updated_at FROM agents
WHERE account_id = :account_id AND (created_at, id) < (:created_at, :id)
ORDER BY created_at DESC, id DESC LIMIT :limit
"""

UPDATE: Final = """
UPDATE agents SET definition = :definition, prompts = :prompts, updated_at = :now
WHERE account_id = :account_id AND id = :id
"""

# Its executions and all that hangs on them go with it (foreign keys).
DELETE: Final = "DELETE FROM agents WHERE account_id = :account_id AND id = :id"
