"""SIP trunks and their numbers over the API, on both databases."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from ringback.trunks.gateway import Qualified
from tests.support.api import POOL, Api, assert_refused
from tests.support.description import described_as

BY_PASSWORD: dict[str, Any] = {
    "name": "Zadarma Production",
    "provider": "zadarma",
    "auth_type": "userpass",
    "auth_username": "12345",
    "auth_password": "s3cret-of-the-trunk",
    "gateways": [{"gateway_address": "sip.zadarma.com", "port": 5060, "priority": 1}],
}
BY_ADDRESS: dict[str, Any] = {
    "name": "Plivo Elastic",
    "provider": "plivo",
    "auth_type": "ip-based",
    "gateways": [{"gateway_address": "21467306465797919.zt.plivo.com", "port": 5060, "priority": 1}],
    "ip_identifiers": [{"ip_address": "15.207.90.192/31"}, {"ip_address": "204.89.151.128/27"}],
    "inbound_enabled": True,
}
PATH = "/sip-trunks/trunks"


async def created(api: Api, body: dict[str, Any] = BY_PASSWORD, **fields: Any) -> dict[str, Any]:
    answer = await api.client.post(PATH, json=body | fields)
    assert answer.status_code == 201, answer.text
    trunk: dict[str, Any] = answer.json()
    described_as("Trunk", trunk)
    return trunk


async def test_create_and_get(api: Api) -> None:
    trunk = await created(api, unknown="dropped")
    at = "2026-11-24T04:04:05Z"
    assert trunk == {
        "id": trunk["id"],
        "name": "Zadarma Production",
        "provider": "zadarma",
        "description": None,
        "auth_type": "userpass",
        "auth_username": "12345",
        "gateways": [
            BY_PASSWORD["gateways"][0]
            | {"state": "unknown", "checked_at": None, "answer_ms": None, "code": None, "error": None}
        ],
        "ip_identifiers": [],
        "phone_numbers": [],
        "allow": "ulaw,alaw",
        "disallow": "all",
        "transport": "transport-udp",
        "direct_media": False,
        "rtp_symmetric": True,
        "force_rport": True,
        "media_encryption": "no",
        "media_encryption_optimistic": False,
        "qualify_frequency": 60,
        "inbound_enabled": False,
        "outbound_leading_plus_enabled": True,
        "is_active": True,
        "max_calls": None,
        "calls_per_second": None,
        "registration": {"state": None, "expires_at": None, "contact": None, "code": None, "error": None},
        "created_at": at,
        "updated_at": at,
    }
    for spelling in (trunk["id"], trunk["id"].replace("-", "").upper()):
        answer = await api.client.get(f"{PATH}/{spelling}")
        assert (answer.status_code, answer.json()) == (200, trunk)
    assert (await api.client.get(PATH)).json() == [trunk]


async def test_the_password_is_encrypted_and_never_shown(api: Api) -> None:
    trunk = await created(api)
    password = BY_PASSWORD["auth_password"]
    kept = await api.db.fetch_one("SELECT auth_password FROM trunks")
    assert kept is not None
    assert password not in kept["auth_password"]
    for path in (PATH, f"{PATH}/{trunk['id']}"):
        assert password not in (await api.client.get(path)).text
    assert (await api.services.trunks.get(api.account, trunk["id"])).fields.auth_password == password
    patched = await api.client.patch(f"{PATH}/{trunk['id']}", json={"auth_password": "another one"})
    assert "another one" not in patched.text
    assert (await api.services.trunks.get(api.account, trunk["id"])).fields.auth_password == "another one"


async def test_a_trunk_comes_with_its_numbers_or_not_at_all(api: Api) -> None:
    numbers = [{"phone_number": "919876543210", "name": "Mumbai"}, {"phone_number": "+4930123456"}]
    trunk = await created(api, phone_numbers=numbers)
    shown = trunk["phone_numbers"]
    assert [number["phone_number"] for number in shown] == ["+4930123456", "919876543210"]
    assert {number["byot_trunk_id"] for number in shown} == {trunk["id"]}
    again = await api.client.post(PATH, json=BY_ADDRESS | {"phone_numbers": [{"phone_number": "4930123456"}]})
    assert_refused(again, 400, "4930123456 has been added already")
    wrong = await api.client.post(PATH, json=BY_ADDRESS | {"phone_numbers": [{"phone_number": "call me"}]})
    assert wrong.status_code == 422
    assert len((await api.client.get(PATH)).json()) == 1


@pytest.mark.parametrize(
    ("fields", "path", "text"),
    [
        ({"name": None}, "name", "is required"),
        ({"auth_type": "token"}, "auth_type", "must be one of"),
        ({"gateways": []}, "gateways", "at least 1"),
        ({"gateways": [{"gateway_address": "sip:x@y"}]}, "gateways[0].gateway_address", "host name"),
        ({"gateways": [{"gateway_address": "1.2.3"}]}, "gateways[0].gateway_address", "incomplete"),
        ({"gateways": [{"gateway_address": "a.b", "port": 0}]}, "gateways[0].port", "at least 1"),
        ({"auth_password": None}, "auth_password", "required where auth_type is userpass"),
        ({"auth_username": "a\r\nb"}, "auth_username", "printable"),
        ({"auth_username": "joe@sip example>"}, "auth_username", "host name after its @"),
        ({"media_encryption": "sdes"}, "media_encryption", "transport-tls"),
        ({"qualify_frequency": 1}, "qualify_frequency", "0 or 5 to"),
        ({"allow": "g729"}, "allow", "ulaw, alaw"),
        ({"direct_media": True}, "direct_media", "must be false"),
        ({"calls_per_second": -1}, "calls_per_second", "at least"),
        ({"auth_type": "ip-based"}, "ip_identifiers", "at least one address"),
        ({"ip_identifiers": [{"ip_address": "0.0.0.0/0"}]}, "ip_identifiers[0].ip_address", "no wider"),
        ({"ip_identifiers": [{"ip_address": "example"}]}, "ip_identifiers[0].ip_address", "CIDR"),
    ],
)
async def test_bad_fields_are_named(api: Api, fields: dict[str, Any], path: str, text: str) -> None:
    answer = await api.client.post(PATH, json=BY_PASSWORD | fields)
    assert answer.status_code == 422, answer.text
    problems = answer.json()["details"]["problems"]
    assert [problem for problem in problems if problem["path"] == path and text in problem["message"]]
    assert BY_PASSWORD["auth_password"] not in answer.text
    assert (await api.client.get(PATH)).json() == []


async def test_sdes_goes_with_tls(api: Api) -> None:
    trunk = await created(api, transport="transport-tls", media_encryption="sdes")
    assert trunk["media_encryption"] == "sdes"
    answer = await api.client.patch(f"{PATH}/{trunk['id']}", json={"transport": "transport-udp"})
    assert answer.status_code == 422


async def test_names_are_unique_in_an_account(api: Api) -> None:
    await created(api)
    second = await created(api, BY_ADDRESS)
    text = "There is a trunk named 'Zadarma Production' already; a trunk's name must be unique"
    assert_refused(await api.client.post(PATH, json=BY_PASSWORD), 400, text)
    assert_refused(
        await api.client.patch(f"{PATH}/{second['id']}", json={"name": BY_PASSWORD["name"]}), 400, text
    )
    assert (await api.stranger.post(PATH, json=BY_PASSWORD)).status_code == 201


async def test_patch_changes_what_is_named_and_replaces_arrays(api: Api) -> None:
    trunk = await created(api, BY_ADDRESS, description="ours", max_calls=5, calls_per_second=2.5)
    assert (trunk["max_calls"], trunk["calls_per_second"]) == (5, 2.5)
    api.clock.us += 60_000_000
    changes = {
        "gateways": [{"gateway_address": "a.example", "priority": 2}, {"gateway_address": "b.example"}],
        "ip_identifiers": [{"ip_address": "198.51.100.7"}],
        "description": None,
        "max_calls": None,
        "is_active": False,
        "name": None,
    }
    answer = await api.client.patch(f"{PATH}/{trunk['id']}", json=changes)
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    described_as("Trunk", changed)
    assert [gateway["gateway_address"] for gateway in changed["gateways"]] == ["a.example", "b.example"]
    assert changed["ip_identifiers"] == [{"ip_address": "198.51.100.7"}]
    assert changed["updated_at"] == "2026-11-24T04:05:05Z"
    same = trunk | {"gateways": [], "ip_identifiers": [], "is_active": False, "max_calls": None}
    same |= {"updated_at": changed["updated_at"], "description": None}
    assert changed | {"gateways": [], "ip_identifiers": []} == same
    assert (await api.client.get(PATH, params={"is_active": "true"})).json() == []
    assert (await api.client.get(PATH, params={"is_active": "false"})).json() == [changed]


async def test_what_is_known_of_gateways_goes_with_them(api: Api) -> None:
    trunk = await created(api)
    path = f"{PATH}/{trunk['id']}"
    gateway = BY_PASSWORD["gateways"][0]["gateway_address"]
    answered = Qualified("up", api.clock.us, 21_400, 200)
    await api.services.trunks.qualified(api.account, trunk["id"], 1, gateway, 5060, answered)
    [shown] = (await api.client.get(path)).json()["gateways"]
    assert (shown["state"], shown["answer_ms"], shown["code"]) == ("up", 21.4, 200)
    renamed = await api.client.patch(path, json={"name": "Another"})
    assert renamed.json()["gateways"][0]["state"] == "up"
    moved = await api.client.patch(path, json={"gateways": [{"gateway_address": "b.example"}]})
    assert moved.json()["gateways"][0]["state"] == "unknown"
    await api.services.trunks.qualified(api.account, trunk["id"], 1, gateway, 5060, answered)
    assert (await api.client.get(path)).json()["gateways"][0]["state"] == "unknown"


async def test_delete(api: Api) -> None:
    numbers = [{"phone_number": f"49301234{n}"} for n in range(3)]
    trunk = await created(api, phone_numbers=numbers, max_calls=3)
    other = await created(api, BY_ADDRESS)
    answer = await api.client.delete(f"{PATH}/{trunk['id']}")
    assert answer.json() == {"message": "Trunk deleted successfully. 3 phone number(s) removed."}
    assert (await api.client.get(PATH)).json() == [other]
    assert (await api.client.get("/phone-numbers/all")).json() == []
    rows = await api.rows()
    assert (rows["trunks"], rows["trunk_gateways"], rows["phone_numbers"]) == (1, 1, 0)
    kept = await api.db.fetch_all("SELECT name FROM trunk_gates")
    assert [row["name"] for row in kept] == [other["id"]]
    for method in ("GET", "PATCH", "DELETE"):
        gone = await api.client.request(method, f"{PATH}/{trunk['id']}", json={})
        assert_refused(gone, 404, f"There is no SIP trunk {trunk['id']}")


async def test_numbers_of_a_trunk(api: Api) -> None:
    trunk = await created(api)
    path = f"{PATH}/{trunk['id']}/numbers"
    added = await api.client.post(path, json={"phone_number": "919876543210", "name": "Mumbai Support Line"})
    assert added.status_code == 201, added.text
    number = added.json()
    described_as("TrunkNumber", number)
    assert number == {
        "id": number["id"],
        "phone_number": "919876543210",
        "name": "Mumbai Support Line",
        "byot_trunk_id": trunk["id"],
        "telephony_provider": "sip-trunk",
        "deleted": False,
        "e164_check_enabled": False,
        "agent_id": None,
        "created_at": "2026-11-24T04:04:05Z",
        "updated_at": "2026-11-24T04:04:05Z",
    }
    assert (await api.client.get(path)).json() == [number]
    again = await api.client.post(path, json={"phone_number": "+919876543210"})
    assert_refused(again, 400, "+919876543210 has been added already")
    checked = await api.client.post(path, json={"phone_number": "12345", "e164_check_enabled": True})
    assert checked.status_code == 422
    assert "E.164" in checked.json()["message"]
    assert_refused(
        await api.client.post(f"{PATH}/{uuid4()}/numbers", json={"phone_number": "1"}), 404
    )  # fmt: skip
    assert_refused(await api.client.delete(f"{PATH}/{uuid4()}/numbers/{number['id']}"), 404)
    removed = await api.client.delete(f"{path}/{number['id']}")
    assert removed.json() == {"message": "Phone number removed successfully"}
    assert (await api.client.get(path)).json() == []


async def test_all_numbers_of_an_account(api: Api) -> None:
    agent = await api.agent()
    trunk = await created(api, phone_numbers=[{"phone_number": "919876543210"}])
    api.clock.us += 300_000_000
    bought = await api.client.post("/phone-numbers/buy", json={"country": "US", "phone_number": POOL[0]})
    assert bought.status_code == 200, bought.text
    described_as("BoughtNumber", bought.json())
    await api.services.numbers.link(api.account, bought.json()["id"], agent)
    own, rented = (await api.client.get("/phone-numbers/all")).json()
    described_as("PhoneNumber", rented)
    assert own == {
        "id": trunk["phone_numbers"][0]["id"],
        "humanized_created_at": "5 minutes ago",
        "created_at": "2026-11-24T04:04:05Z",
        "humanized_updated_at": "5 minutes ago",
        "updated_at": "2026-11-24T04:04:05Z",
        "renewal_at": "",
        "phone_number": "919876543210",
        "agent_id": None,
        "price": "$0.0",
        "telephony_provider": "sip-trunk",
        "rented": False,
        "byot_trunk_id": trunk["id"],
        "name": None,
    }
    assert (rented["phone_number"], rented["rented"], rented["agent_id"]) == (POOL[0], True, agent)
    deleted = await api.client.delete(f"/phone-numbers/{rented['id'].replace('-', '')}")
    assert deleted.json() == {
        "message": "The phone number has been removed from your account",
        "state": "deleted",
    }
    assert (await api.client.get("/phone-numbers/all")).json() == [own]


async def test_an_agent_that_is_gone_answers_nothing(api: Api) -> None:
    agent = await api.agent()
    trunk = await created(api, phone_numbers=[{"phone_number": "919876543210"}])
    [number] = trunk["phone_numbers"]
    await api.services.numbers.link(api.account, number["id"], agent)
    called = await api.services.numbers.called("+919876543210", trunk=(api.account, trunk["id"]))
    assert called is not None
    assert called.agent_id == agent
    await api.client.delete(f"/v2/agent/{agent}")
    [shown] = (await api.client.get("/phone-numbers/all")).json()
    assert shown["agent_id"] is None


async def test_search_and_buy(api: Api) -> None:
    async def found(**query: str) -> list[str]:
        answer = await api.client.get("/phone-numbers/search", params=query)
        assert answer.status_code == 200, answer.text
        return [number["phone_number"] for number in answer.json()]

    assert await found(country="US") == list(POOL[:3])
    assert await found(country="gb", provider="twilio") == [POOL[3]]
    assert await found(country="IN") == []
    assert await found(country="US", pattern="415") == list(POOL[:3])
    assert await found(country="US", pattern="212") == []
    assert (await api.client.get("/phone-numbers/search")).status_code == 400
    body = {"country": "US", "phone_number": POOL[1]}
    assert (await api.stranger.post("/phone-numbers/buy", json=body)).status_code == 200
    assert await found(country="US") == [POOL[0], POOL[2]]
    assert_refused(await api.client.post("/phone-numbers/buy", json=body), 400)
    for number, country in (("+14155559999", "US"), (POOL[0], "IN")):
        answer = await api.client.post(
            "/phone-numbers/buy", json={"country": country, "phone_number": number}
        )
        assert answer.status_code == 400
        assert "cannot be bought here" in answer.json()["message"]


async def test_whose_number_was_called(api: Api) -> None:
    """On an account's own trunk only that account's; on the installation's, whoever has taken the number."""
    numbers = api.services.numbers
    trunk = await created(api, phone_numbers=[{"phone_number": "919876543210"}])
    other = await created(api, BY_ADDRESS)
    await api.client.post("/phone-numbers/buy", json={"country": "US", "phone_number": POOL[0]})
    for spelling in ("919876543210", "+919876543210"):
        called = await numbers.called(spelling, trunk=(api.account, trunk["id"]))
        assert called is not None
        assert called.trunk_id == trunk["id"]
    assert await numbers.called("919876543210", trunk=(api.account, other["id"])) is None
    assert await numbers.called("919876543210", trunk=("another", trunk["id"])) is None
    assert await numbers.called("919876543210") is None
    called = await numbers.called(POOL[0].removeprefix("+"))
    assert called is not None
    assert (called.account_id, called.trunk_id) == (api.account, None)
    assert await numbers.called(POOL[2]) is None
