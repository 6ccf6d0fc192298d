"""An account with one of everything in it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from ringback.accounts.sub_accounts import Details
from ringback.agents.definition import read
from ringback.agents.disposition_fields import DispositionFields
from ringback.agents.extraction_template import TemplateFields
from ringback.executions.lifecycle import Status
from ringback.executions.record import LogRow, NewExecution, Turn, UsageKind, UsageLine
from ringback.executions.transfer import Transfer
from ringback.trunks.gateway import Gateway
from ringback.trunks.numbers import NewNumber
from ringback.trunks.trunk import TrunkFields
from tests.support import agent_definitions
from tests.support.api import FROM, Api

AUDIO = bytes(range(256)) * 4


@dataclass(frozen=True)
class Belongings:
    account: str
    agent_id: str
    execution_id: str
    """A completed call of a batch, with a recording."""
    batch_id: str
    token: str
    """Of the recording."""
    queued: str
    """Another call of the agent, which can be stopped."""
    live: str
    """Another one, in which somebody is talking."""
    number: str
    """On their do-not-call list."""
    endpoint_id: str
    """Of their webhooks."""
    disposition_id: str
    """Of the agent."""
    template_id: str
    """Of an extraction."""
    sub_account_id: str
    trunk_id: str
    phone_number_id: str
    """On that trunk."""
    mark: str
    """Stands in every text of theirs."""

    @property
    def ids(self) -> dict[str, str]:
        """By the names of path parameters."""
        return {
            "agent_id": self.agent_id,
            "execution_id": self.execution_id,
            "batch_id": self.batch_id,
            "run_id": self.live,
            "number": self.number,
            "endpoint_id": self.endpoint_id,
            "delivery_id": f"{self.batch_id}-1",
            "disposition_id": self.disposition_id,
            "template_id": self.template_id,
            "sub_account_id": self.sub_account_id,
            "trunk_id": self.trunk_id,
            "phone_number_id": self.phone_number_id,
            "source_name": f"{self.mark}.csv",
        }

    @property
    def traces(self) -> tuple[str, ...]:
        """What nobody else may ever see."""
        return (*self.ids.values(), self.token, self.queued, self.mark)


async def furnish(api: Api, account: str) -> Belongings:
    """Give an account one of everything."""
    mark = f"mark-{uuid4().hex}"
    definition = agent_definitions.scripted()
    definition["agent_config"]["agent_name"] = mark
    agent = await api.services.agents.create(account, read(definition))
    batch = uuid4().hex
    completed, queued, live = [
        await api.ledger.create(
            NewExecution(
                account,
                agent.id,
                "+14155550123",
                FROM,
                "sip-trunk",
                recipient_data={"name": mark},
                batch_id=of,
            )
        )
        for of in (batch, None, None)
    ]
    number = f"+88{uuid4().int % 10**12:012}"
    endpoint = uuid4().hex
    await _batch(api, account, agent.id, batch, mark, number, endpoint)
    token, path = uuid4().hex, f"{mark}.wav"
    (api.recordings / path).write_bytes(AUDIO)
    await _talking(api, account, live.id)
    await _completed(api, account, completed.id, mark, token, path)
    disposition, template = await _meaning(api, account, agent.id, mark)
    sub_account, _ = await api.services.sub_accounts.create(account, Details(mark, metadata={"mark": mark}))
    return Belongings(
        account,
        agent.id,
        completed.id,
        batch,
        token,
        queued.id,
        live.id,
        number,
        endpoint,
        disposition,
        template,
        sub_account.id,
        *await _telephony(api, account, mark),
        mark,
    )


async def _telephony(api: Api, account: str, mark: str) -> tuple[str, str]:
    """A trunk, and a number on it."""
    await api.services.callers.put(account, f"{mark}.csv", f"contact_number,name\n+1415,{mark}\n".encode())
    fields = TrunkFields(
        name=mark,
        provider=mark,
        auth_type="userpass",
        gateways=(Gateway("sip.example.com"),),
        auth_username=mark,
        auth_password=mark,
    )
    number = NewNumber(f"88{uuid4().int % 10**12:012}", mark)
    trunk = await api.services.trunks.create(account, fields, [number])
    [added] = await api.services.numbers.of_trunk(account, trunk.id)
    return trunk.id, added.id


async def _meaning(api: Api, account: str, agent: str, mark: str) -> tuple[str, str]:
    """What is to be found out after their calls."""
    question = DispositionFields(name=mark, question=mark, category=mark, is_subjective=True)
    [disposition] = await api.services.dispositions.create(account, [question], [agent])
    fields = TemplateFields(name=mark, json_schema={"title": mark}, instructions=mark)
    template = await api.services.extraction_templates.create(account, fields)
    return disposition.id, template.id


async def _batch(
    api: Api, account: str, agent: str, batch: str, mark: str, number: str, endpoint: str
) -> None:
    """What the queue keeps of an account."""
    now = api.clock.us
    kept: dict[str, dict[str, object]] = {
        "batches": {
            "id": batch,
            "agent_id": agent,
            "state": "scheduled",
            "file_name": f"{mark}.csv",
            "from_numbers": "[]",
            "webhook_url": f"https://example.com/{mark}",
            "bypass_guardrails": False,
            "dial_once": True,
            "created_at": now,
            "updated_at": now,
        },
        "batch_faults": {"batch_id": batch, "line": 3, "number": None, "reason": mark},
        "webhook_endpoints": {
            "id": endpoint,
            "url": f"https://example.com/{mark}",
            "secret": f"whsec_{mark.removeprefix('mark-')}",
            "created_at": now,
        },
        "webhook_deliveries": {
            "kind": "batch",
            "subject": batch,
            "position": 1,
            "event": "processed",
            "endpoint_id": endpoint,
            "payload": mark,
            "due_at": now,
            "created_at": now,
        },
        "do_not_call": {"number": number, "reason": mark, "created_at": now},
        "idempotency_keys": {
            "key": mark,
            "route": "POST /call",
            "fingerprint": mark,
            "status": 200,
            "body": mark,
            "created_at": now,
        },
    }
    async with api.db.transaction() as tx:
        for table, row in kept.items():
            await tx.insert_rows(table, ("account_id", *row), [(account, *row.values())])


async def _talking(api: Api, account: str, execution: str) -> None:
    for status in (Status.INITIATED, Status.RINGING, Status.IN_PROGRESS):
        await api.ledger.transition(account, execution, status)


async def _completed(api: Api, account: str, execution: str, mark: str, token: str, path: str) -> None:
    now = api.clock.us
    await _talking(api, account, execution)
    await api.ledger.add_turns(account, execution, [Turn(0, "user", mark, 0, 900)])
    rows = [
        LogRow(now, "response", "llm", "openai", mark, reasoning_content=mark),
        LogRow(now, "request", "tool", None, mark, tool_name="transfer_call"),
        LogRow(now, "error", "synthesizer", "local", mark),
    ]
    await api.ledger.add_log(account, execution, rows)
    await api.ledger.transition(
        account,
        execution,
        Status.CALL_DISCONNECTED,
        attempt={
            "answered_at": now - 42_000_000,
            "ended_at": now,
            "hangup_by": "Callee",
            "hangup_reason": "Normal Hangup",
            "conversation_ms": 41_600,
        },
    )
    await api.ledger.transition(
        account,
        execution,
        Status.COMPLETED,
        changes={"extracted_data": {"said": mark}, "summary": mark},
        attempt={
            "recording_path": path,
            "recording_token": token,
            "recording_ms": 41_600,
            "transfers": [
                Transfer("attended", "+14155550177", "+14155550100", "x", mark, 1, recording_path=path)
            ],
            "transfer_token": f"{token}-of-the-transfer",
        },
        usage=[UsageLine(UsageKind.PLATFORM, "ringback", "", "ms", 41_600, 20_000)],
    )
