"""Reduces an OpenAPI description to the facts that tests need: paths, parameters, statuses, types. No prose, no
examples, no defaults; of the operations that there are here.

    python scripts/reduce_description.py openapi.yml > tests/data/vendor_description.json
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

_OPERATIONS = re.compile(
    r"/agent(/all|/\{agent_id\}(/executions|/execution/\{execution_id\})?)?"
    r"|/v2/agent(/all|/\{agent_id\}(/executions|/stop)?)?"
    r"|/executions/\{execution_id\}(/log)?"
    r"|/batches(/\{batch_id\}(/executions|/stop|/schedule)?|/\{agent_id\}/all)?"
    r"|/call(/\{execution_id\}/stop)?"
    r"|/dispositions/(bulk|\{disposition_id\})?|/v2/agent/\{agent_id\}/dispositions/test"
    r"|/extractions(/\{template_id\})?"
    r"|/sip-trunks/trunks(/\{trunk_id\}(/numbers(/\{phone_number_id\})?)?)?"
    r"|/phone-numbers/(all|search|buy|\{phone_number_id\})"
    r"|/user/me|/sub-accounts/(create|all(/usage)?|\{sub_account_id\}(/usage)?)"
)
_NAMED = {"properties", "schemas"}
"""Below these the keys are names of the API's."""
_FACTS = {
    *("type", "format", "pattern", "enum", "const", "items", "required", "additionalProperties", "$ref"),
    *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
    *("anyOf", "oneOf", "allOf", "if", "then"),
    *_NAMED,
}


def main(path: str) -> None:
    whole = yaml.safe_load(Path(path).read_text())
    paths = {
        path: {method: _operation(operation) for method, operation in methods.items()}
        for path, methods in whole["paths"].items()
        if _OPERATIONS.fullmatch(path)
    }
    schemas = _facts(whole["components"]["schemas"], named=True)
    reduced = {
        "openapi": whole["openapi"],
        "info": {"title": "vendor", "version": "0"},
        "paths": paths,
        "components": {
            "schemas": {name: schemas[name] for name in sorted(_reached(paths, schemas))},
            "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearerAuth": []}],
    }
    print(json.dumps(reduced, indent=1))


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    reduced: dict[str, Any] = {}
    if parameters := operation.get("parameters"):
        reduced["parameters"] = [
            {key: p[key] for key in ("name", "in", "required") if key in p} | {"schema": _facts(p["schema"])}
            for p in parameters
        ]
    if body := operation.get("requestBody"):
        reduced["requestBody"] = {"required": body.get("required", False), "content": _content(body)}
    reduced["responses"] = {
        status: {"description": "", "content": _content(answer)}
        for status, answer in operation["responses"].items()
    }
    return reduced


def _content(holder: dict[str, Any]) -> dict[str, Any]:
    return {
        kind: {"schema": _facts(media["schema"])} if "schema" in media else {}
        for kind, media in holder.get("content", {}).items()
    }


def _facts(schema: Any, *, named: bool = False) -> Any:
    if isinstance(schema, list):
        return [_facts(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value if key in ("enum", "const") else _facts(value, named=not named and key in _NAMED)
        for key, value in schema.items()
        if named or key in _FACTS
    }


def _reached(paths: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    """The schemas that these paths need."""
    reached: set[str] = set()
    ahead = _references(paths)
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead |= _references(schemas[name])
    return reached


def _references(value: Any) -> set[str]:
    return set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(value)))


if __name__ == "__main__":
    main(*sys.argv[1:])
