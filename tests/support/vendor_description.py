"""The vendor's description of the operations that there are here (facts only, see
scripts/reduce_description.py), and the one list of where ours goes another way."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.description import Json

_FACTS = Path(__file__).parents[1] / "data" / "vendor_description.json"
_REF = "#/components/schemas/"
_E164 = r"^\+[1-9][0-9]{1,14}$"

_WITH_BODY = (
    "POST .*/agent|POST /call|POST /batches(/.*/schedule)?|POST .*/dispositions.*|POST /extractions"
    "|POST /sub-accounts/create|POST /sip-trunks/.*|POST /phone-numbers/buy|PUT .*|PATCH .*"
)

Change = Callable[[Json], None]
"""Edits a description in place."""


@dataclass(frozen=True)
class Deviation:
    why: str
    """Section of the contract, or the issue, and what it says."""
    change: Change


def _answered(path: str, change: Callable[[Any], Any]) -> Change:
    """Of a schema in answers: `AgentV2.tasks` is a property, `AgentV2.tasks[]` its items."""

    def edit(description: Json) -> None:
        name, *steps = path.replace("[]", ".[]").split(".")
        holder, key = description["components"]["schemas"], f"{name}Answer"
        for step in steps:
            holder = holder[key]
            holder, key = (holder, "items") if step == "[]" else (holder["properties"], step)
        holder[key] = change(holder[key])

    return edit


def _asked(path: str, change: Callable[[Any], Any]) -> Change:
    """Of schemas in requests, written the same way."""
    answered = _answered(path, change)

    def edit(description: Json) -> None:
        schemas = description["components"]["schemas"]
        aside = {f"{name}Answer": schema for name, schema in schemas.items()}
        answered({"components": {"schemas": aside}})
        schemas |= {name: aside[f"{name}Answer"] for name in schemas}

    return edit


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _or(*values: str) -> Callable[[Json], Json]:
    return lambda schema: {**schema, "enum": [*schema["enum"], *values]}


def _any_string(_: Json) -> Json:
    return {"type": "string"}


def _array(item: Json) -> Json:
    return {"type": "array", "items": item}


def _object(_: Json) -> Json:
    return {"type": "object"}


def _demand(*names: str) -> Callable[[Json], Json]:
    return lambda schema: {**schema, "required": list(names)}


def _without(*names: str) -> Callable[[Json], Json]:
    def edit(schema: Json) -> Json:
        return {**schema, "properties": {n: s for n, s in schema["properties"].items() if n not in names}}

    return edit


def _status(status: str, operations: str) -> Change:
    """One more status of the operations that match `METHOD /path`."""

    def edit(description: Json) -> None:
        for path, methods in description["paths"].items():
            for method, operation in methods.items():
                if re.fullmatch(operations, f"{method.upper()} {path}"):
                    operation["responses"][status] = deepcopy(operation["responses"]["401"])

    return edit


def _no_body(status: str, operations: str) -> Change:
    added = _status(status, operations)

    def edit(description: Json) -> None:
        added(description)
        for methods in description["paths"].values():
            for operation in methods.values():
                operation["responses"].get(status, {}).pop("content", None)

    return edit


def _created(path: str) -> Change:
    def edit(description: Json) -> None:
        del description["paths"][path]["post"]["responses"]["200"]

    return edit


def _page_or_array(description: Json) -> None:
    answer = description["paths"]["/batches/{batch_id}/executions"]["get"]["responses"]["200"]
    media = answer["content"]["application/json"]
    media["schema"] = {"anyOf": [media["schema"], {"$ref": f"{_REF}AgentExecutionV2ListAnswer"}]}


def _results(response: Json) -> Json:
    inner: Json = response["properties"]["extracted_data"]["additionalProperties"]["additionalProperties"]
    inner["properties"] = {name: _or_null(schema) for name, schema in inner["properties"].items()}
    return response


def _sent(path: str, names: str, **facts: str) -> Change:
    """Properties of the body of a POST; of an array, its items."""

    def edit(description: Json) -> None:
        [media] = description["paths"][path]["post"]["requestBody"]["content"].values()
        for name in names.split():
            schema = media["schema"]["properties"][name]
            schema |= {"items": schema["items"] | facts} if "items" in schema else facts

    return edit


def _uuid_of_batch(description: Json) -> None:
    [parameter] = [
        parameter
        for parameter in description["paths"]["/v2/agent/{agent_id}/executions"]["get"]["parameters"]
        if parameter["name"] == "batch_id"
    ]
    parameter["schema"] = {"type": "string", "format": "uuid"}


def _parameters(where: str, names: str, **facts: str) -> Change:
    """Parameters of the operations on paths that begin so; an enum makes way for a pattern."""

    def edit(description: Json) -> None:
        for path, methods in description["paths"].items():
            for operation in methods.values() if path.startswith(where) else ():
                for parameter in operation.get("parameters", ()):
                    if parameter["name"] in names.split():
                        parameter["schema"] = {"type": "string"} | facts

    return edit


def _each(why: str, paths: str, change: Callable[[Any], Any]) -> Iterator[Deviation]:
    """The same change of several schemas in answers."""
    for path in paths.split():
        yield Deviation(f"{why} ({path})", _answered(path, change))


DEVIATIONS: Sequence[Deviation] = (
    # Statuses. The contract is silent about 408, 413 and 503; docs/differences.md says when they come.
    Deviation("1: POST /v2/agent answers 201 alone", _created("/v2/agent")),
    Deviation("1: POST /batches answers 201 alone", _created("/batches")),
    Deviation(
        "issue 5, 8: an Idempotency-Key of another request is 409", _status("409", "POST /call|POST /batches")
    ),
    Deviation(
        "issue 3, 3: an execution that has not changed is 304",
        _no_body("304", r"GET .*/executions?/\{execution_id\}"),
    ),
    Deviation("a database that is away is 503", _status("503", ".*")),
    Deviation("a body too large is 413", _status("413", _WITH_BODY)),
    Deviation("a body that does not arrive is 408", _status("408", _WITH_BODY)),
    # Executions.
    *_each(
        "3.2 and 4.5: a row of a batch that was not scheduled yet is prepared",
        "AgentExecution.status BatchRunData.status",
        _or("prepared"),
    ),
    *_each(
        "issue 3, 2: a list asked by cursor has no page numbers, and no total where none is asked for",
        "AgentExecutionV2List.page_number AgentExecutionV2List.total",
        _or_null,
    ),
    Deviation("9: executions of a batch come as a page where one is asked for", _page_or_array),
    *_each(
        "4.2: who hung up a transfer is not known before its end, and only what was answered is recorded",
        "TransferCallData.recording_url TransferCallData.hangup_by"
        " TransferCallData.hangup_reason TransferCallData.hangup_provider_code",
        _or_null,
    ),
    *_each("3.4: the log has events and errors too", "AgentExecutionLog.type", _or("event", "error")),
    *_each("3.4: what no provider did has none", "AgentExecutionLog.provider", _or_null),
    # Agents. Section 7 has them as they were sent, with every default filled in, and with any provider.
    *_each(
        "7: providers outside an enum are not refused, unknown keys are kept, and both come back as they were sent",
        "ToolsConfig ToolsConfigV2",
        _object,
    ),
    *_each(
        "7: tasks of webhooks and notifications",
        "TasksConfig.task_type TasksConfigV2.task_type",
        _or("webhook", "notification"),
    ),
    *_each(
        "7: pipelines are arrays of arrays", "Toolchain.pipelines[]", lambda _: _array({"type": "string"})
    ),
    Deviation("7: so they are in requests", _asked("Toolchain.pipelines[]", _array)),
    *_each(
        "7: seconds may have fractions",
        "ConversationConfig.hangup_after_silence ConversationConfig.backchanneling_message_gap "
        "ConversationConfig.backchanneling_start_delay ConversationConfig.call_terminate",
        lambda _: {"type": "number"},
    ),
    *_each(
        "7: numbers that may call in are telephone numbers",
        "ConversationConfig.whitelist_phone_numbers[]",
        _any_string,
    ),
    *_each("7: a source's URL comes back as it was sent", "IngestSourceConfig.source_url", _any_string),
    *_each(
        "7: what an agent does not have is null",
        "AgentV2.ingest_source_config IngestSourceConfig.source_url AgentPrompt.task_1.system_prompt "
        "TasksConfig.tools_config TasksConfig.toolchain TasksConfig.task_config "
        "TasksConfigV2.tools_config TasksConfigV2.toolchain TasksConfigV2.task_config "
        "ConversationConfig.call_cancellation_prompt ConversationConfig.ambient_noise_track "
        "ConversationConfig.whitelist_phone_numbers",
        _or_null,
    ),
    Deviation("7: a source names its type", _asked("IngestSourceConfig", _demand("source_type"))),
    Deviation(
        "7: a calling window has both its hours",
        _asked("AgentConfigV2.calling_guardrails", _demand("call_start_hour", "call_end_hour")),
    ),
    Deviation("7: a function has a name", _asked("TransferCallTools", _demand("name"))),
    Deviation(
        "7: a function's name is one that language models take",
        _asked("TransferCallTools.name", lambda name: {**name, "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
    ),
    # Calls.
    Deviation(
        "1: numbers are E.164",
        _sent("/call", "recipient_phone_number from_phone_number", pattern=_E164),
    ),
    Deviation("8: scheduled_at is ISO 8601", _sent("/call", "scheduled_at", format="date-time")),
    # Batches.
    Deviation("1: numbers of a batch are E.164", _sent("/batches", "from_phone_numbers", pattern=_E164)),
    Deviation(
        "9: scheduled_at is ISO 8601",
        _sent("/batches/{batch_id}/schedule", "scheduled_at", format="date-time"),
    ),
    Deviation(
        "1: the id of a batch is in lower case",
        _answered("Batch.batch_id", lambda id_: {**id_, "pattern": "^[a-f0-9]{32}$"}),
    ),
    *_each("9: what a batch does not have is null", "Batch.scheduled_at Batch.from_phone_number", _or_null),
    # Dispositions.
    Deviation(
        "1: a body that is not JSON is 400", _status("400", "POST /dispositions.*|POST .*/dispositions/test")
    ),
    Deviation(
        "13: what a disposition does not have is null",
        _answered("SubjectiveTypeConfig.description", _or_null),
    ),
    Deviation("4.3: what was not asked for is null", _answered("DispositionTestResponse", _results)),
    # Accounts.
    *_each(
        "12 and 14: an account without an address has none, and one without a limit has no number of calls",
        "User.email SubAccountResponse.allow_concurrent_calls SubAccount.allow_concurrent_calls",
        _or_null,
    ),
    Deviation("14: a key is shown once", _answered("SubAccount", _without("api_key"))),
    Deviation(
        "14: no sub-account has a database of its own",
        _answered("SubAccountResponse", _without("db_host", "db_name", "db_port", "db_user", "db_password")),
    ),
    Deviation(
        "14: nor is one to be had",
        _asked("SubAccountRequest.multi_tenant", lambda _: {"type": "boolean", "enum": [False]}),
    ),
    *_each(
        "1: the beginning of a span is a moment, as its end is",
        "SubAccountUsage.from AllSubAccountUsage[].from",
        lambda moment: {**moment, "format": "date-time"},
    ),
    # Trunks and numbers.
    *_each(
        "11: what a trunk or a number does not have is null",
        "SIPTrunkResponse.description SIPTrunkResponse.auth_username SIPTrunkPhoneNumberResponse.name"
        " PhoneNumber.agent_id",
        _or_null,
    ),
    *_each(
        "11: numbers are on SIP trunks",
        "PhoneNumber.telephony_provider AvailablePhoneNumber.provider"
        " PurchasePhoneNumberResponse.telephony_provider",
        _or("sip-trunk"),
    ),
    Deviation("1: ids are UUIDs", _parameters("/sip-trunks", "trunk_id phone_number_id", format="uuid")),
    Deviation(
        "11: the operator's numbers are of any country",
        _asked(
            "PurchasePhoneNumberRequest.country", lambda _: {"type": "string", "pattern": "^[A-Za-z]{2}$"}
        ),
    ),
    Deviation("11: and are searched so", _parameters("/phone-numbers", "country", pattern="^[A-Za-z]{2}$")),
    Deviation(
        "11: a number begins with digits", _parameters("/phone-numbers", "pattern", pattern="^[0-9]{1,15}$")
    ),
    # Parameters.
    Deviation("1: a batch_id is a UUID, with or without dashes", _uuid_of_batch),
)


def vendor(deviations: Sequence[Deviation] = DEVIATIONS) -> Json:
    """The vendor's description, changed by the deviations. Schemas of answers are apart from those of requests:
    `XAnswer`."""
    description: Json = json.loads(_FACTS.read_text())
    schemas = description["components"]["schemas"]
    schemas |= {f"{name}Answer": _renamed(schema) for name, schema in schemas.items()}
    for methods in description["paths"].values():
        for operation in methods.values():
            operation["responses"] = _renamed(operation["responses"])
    for deviation in deviations:
        deviation.change(description)
    return description


def _renamed(value: Any) -> Any:
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: f"{item}Answer" if key == "$ref" else _renamed(item) for key, item in value.items()}
