"""Every fault that the doctor can name, as literal data; docs/doctor.md says what provokes each in a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    sentence: str
    """What is wrong and what to do, with its facts in braces."""
    grave: bool = True
    """Whether calls suffer; otherwise it is only worth knowing."""


# The machine
BAD_CONFIGURATION: Final = Fault(
    "bad-configuration", "{error}; `ringback settings` lists every setting with its meaning."
)
DATA_FOLDER: Final = Fault(
    "data-folder",
    "The data folder {folder} cannot be written to ({error}): make it writable for whoever runs Ringback, or set"
    " RINGBACK_DATA to another one.",
)
DISK_FULL: Final = Fault(
    "disk-full",
    "The disk of {folder} has room for {hours} hours of recordings only ({free} MB): free some of it, shorten the"
    " retention (`ringback retention`), or move the data folder.",
)
SIP_ADDRESS: Final = Fault(
    "sip-address",
    "SIP is to use {host}, which is no address of this machine: set sip.host to one that it has.",
)
SIP_PORT: Final = Fault(
    "sip-port",
    "Another program holds the ports {ports} of {host} that SIP is to use: stop it, or set sip.port to another.",
)
RTP_PORTS: Final = Fault(
    "rtp-ports",
    "Only {free} of the audio ports {low}-{high} are free where {calls} calls need one each: widen sip.rtp_port_low"
    " to sip.rtp_port_high, or stop whoever holds them.",
)
# The store and the workers
DATABASE: Final = Fault(
    "database",
    "The database cannot be used ({error}): check database_url, that a PostgreSQL server is up, or that SQLite's folder"
    " is there.",
)
TABLES: Final = Fault("tables", "The database is not ready: {error}.")
NO_WORKER: Final = Fault(
    "no-worker",
    "No worker has shown itself in the last {seconds} s, so no call is made or taken: start `ringback serve`.",
    grave=False,
)
SECRET_KEY: Final = Fault(
    "secret-key",
    "The passwords of accounts' trunks cannot be read ({error}): set RINGBACK_SECRET_KEY, or put back secret.key in the"
    " data folder, as it was when they were stored.",
)
LATE_AUDIO: Final = Fault(
    "late-audio",
    "The audio of worker {number} is {late} ms late, which people hear: lower calls_per_worker, or give it a core of"
    " its own.",
)
# Speech and language model
SPEECH: Final = Fault(
    "speech",
    "Agents can neither hear nor speak ({error}): start `ringback serve` (or `ringback speech`), or check"
    " speech.transcriber_uri and speech.synthesizer_uri.",
)
MISHEARD: Final = Fault(
    "misheard",
    "The transcriber heard {heard} where the synthesizer had said {said}: the two speak different languages or rates,"
    " check speech.model and the servers of speech.transcriber_uri and speech.synthesizer_uri.",
)
LANGUAGE_MODEL: Final = Fault(
    "language-model",
    "The language model at {url} cannot be reached ({error}): start it, or check llm.base_url.",
)
# The way to the trunk
NO_TRUNK: Final = Fault(
    "no-trunk", "No trunk is configured, so no call can go out: set RINGBACK_TRUNK__HOST and the like."
)
DNS: Final = Fault(
    "dns", "The trunk's name {host} leads to no address: check its spelling and this machine's resolver."
)
LOOPBACK: Final = Fault(
    "loopback",
    "SIP is bound to {host}, from where nothing leaves this machine, but the trunk is at {address}: set sip.host to"
    " this machine's own address.",
)
NO_ROUTE: Final = Fault(
    "no-route",
    "Nothing can be sent to the trunk at {address} ({error}): check the routes and the outgoing firewall.",
)
PORT_CLOSED: Final = Fault(
    "port-closed",
    "The machine at {address} is there, but nobody takes SIP over {transport} on that port: check trunk.port and the"
    " transport.",
)
SILENT: Final = Fault(
    "silent",
    "The trunk at {address} has not answered within {seconds} s: the address is wrong, a firewall swallows"
    " {transport} packets, or the provider ignores addresses that it does not know.",
)
NOT_SIP: Final = Fault(
    "not-sip",
    "What answers at {address} does not speak SIP over {transport}: check trunk.port and the transport.",
)
CERTIFICATE: Final = Fault(
    "certificate",
    "The trunk at {address} shows a certificate that is not valid for {host} ({error}): use the name that the"
    " certificate is for, or install the authority that signed it.",
)
TRUNK_BUSY: Final = Fault(
    "trunk-busy", "The trunk at {address} takes no calls now ({status}): wait, or ask the provider."
)
ADDRESS_REFUSED: Final = Fault(
    "address-refused",
    "The trunk at {address} refuses whatever comes from {ours} ({status}): give the provider this address, or set"
    " trunk.username and trunk.password.",
)
# Who we are
NO_CREDENTIALS: Final = Fault(
    "no-credentials",
    "The trunk at {address} asks for a user name and password, and none are set: set trunk.username and"
    " trunk.password.",
)
WRONG_PASSWORD: Final = Fault(
    "wrong-password",
    "The trunk at {address} does not accept the password of {username} ({status}): set trunk.password as the provider"
    " gives it.",
)
UNKNOWN_USER: Final = Fault(
    "unknown-user",
    "The trunk at {address} does not know the user {username} ({status}): set trunk.username as the provider gives it.",
)
NOT_REGISTERED: Final = Fault(
    "not-registered",
    "The trunk {name} is not registered ({error}), so no call comes in by it, though it answers and takes the password:"
    " look at the log of the worker that registers it.",
)
# What the trunk sees of us
CLOCK: Final = Fault(
    "clock",
    "This machine's clock is {seconds} s {direction} the trunk's: keep it by NTP, or times of calls, signatures and"
    " certificates go wrong.",
)
NAT_ADDRESS: Final = Fault(
    "nat-address",
    "The trunk sees us at {seen}, but we tell it {told}, where its audio and calls get lost: set sip.external_host to"
    " {seen} and forward the ports to this machine.",
)
NAT_PORT: Final = Fault(
    "nat-port",
    "A router between us and the trunk changes our port ({told} became {seen}): calls to us need a forwarded port or a"
    " registered trunk.",
    grave=False,
)
# The call
NUMBER_UNKNOWN: Final = Fault(
    "number-unknown",
    "The trunk does not know the number {number} ({status}): check its form, above all the leading plus.",
)
CALL_FORBIDDEN: Final = Fault(
    "call-forbidden",
    "The trunk forbids the call from {caller} to {number} ({status}): ask the provider whether this account may call"
    " there and show that number.",
)
CODEC_REFUSED: Final = Fault(
    "codec-refused",
    "The other side takes none of the codecs PCMU and PCMA ({status}): allow G.711 at the trunk.",
)
CODEC_MISMATCH: Final = Fault(
    "codec-mismatch",
    "The other side answered with a codec that was not offered, neither PCMU nor PCMA: allow G.711 at the trunk.",
)
SRTP_REFUSED: Final = Fault(
    "srtp-refused",
    "The other side refuses the encryption of the audio that trunk.encryption requires: have the provider turn SRTP on,"
    " or set trunk.encryption to optional.",
)
CALL_FAILED: Final = Fault(
    "call-failed", "The trunk failed to place the call ({status} {reason}): ask the provider."
)
CALL_SILENT: Final = Fault(
    "call-silent",
    "The trunk answers short questions but not the longer INVITE within {seconds} s: a firewall or a helper for SIP in"
    " a router swallows it, turn that off or use TCP.",
)
BUSY: Final = Fault(
    "busy", "The number {number} is busy, so the audio could not be judged: call another.", grave=False
)
UNANSWERED: Final = Fault(
    "unanswered",
    "Nobody answered at {number} within {seconds} s, so the audio could not be judged: call another.",
    grave=False,
)
DROPPED: Final = Fault(
    "dropped",
    "The call was cut off {seconds} s after the answer ({reason}): often the trunk does not get our ACK, check"
    " sip.external_host and any helper for SIP in a router.",
)
# Its audio
NO_AUDIO: Final = Fault(
    "no-audio",
    "Not one packet of audio came from {remote}: open the UDP ports {low}-{high} to this machine, and check"
    " sip.external_host.",
)
NOTHING_COMES: Final = Fault(
    "one-way-inbound",
    "One-way audio: the other side gets ours, but nothing comes back to {ours}: open the UDP ports {low}-{high} to this"
    " machine, and check sip.external_host.",
)
NOTHING_ARRIVES: Final = Fault(
    "one-way-outbound",
    "One-way audio: we hear the other side, but ours does not reach {remote}: check the outgoing firewall for UDP.",
)
PRIVATE_MEDIA: Final = Fault(
    "private-media",
    "The other side asks for audio at {remote}, a private address that cannot be reached from here, and none comes:"
    " the trunk must name its public one.",
)
SILENT_AUDIO: Final = Fault(
    "silent-audio",
    "Audio comes from the other side, but it is all silence: a muted line or a gateway without its far half, ask the"
    " provider.",
)
WRONG_CODEC: Final = Fault(
    "wrong-codec",
    "The other side sends audio of payload type {payload_type}, though {codec} was agreed on: allow G.711 only at the"
    " trunk.",
)
GARBLED: Final = Fault(
    "garbled",
    "The test tone comes back distorted: somebody on the way takes mu-law for A-law or compresses it, allow one of PCMU"
    " and PCMA only at the trunk.",
)
LOSS: Final = Fault(
    "loss",
    "{percent} % of the other side's audio gets lost on the way: look for a full line or bad Wi-Fi, and give voice"
    " priority.",
)
JITTER: Final = Fault(
    "jitter",
    "The other side's audio arrives unevenly (jitter {ms} ms): look for a full line or a busy machine, and give voice"
    " priority.",
)
DELAY: Final = Fault(
    "delay",
    "Sound takes {ms} ms to the other side and back, people will talk across each other: use a trunk that is nearer.",
)
LINE_ECHO: Final = Fault(
    "line-echo",
    "The line gives our own sound back, and agents will hear themselves: ask the provider for echo cancellation (or"
    " say --echo, if that number is an echo service).",
    grave=False,
)

FAULTS: Final = tuple(fault for fault in list(globals().values()) if isinstance(fault, Fault))
