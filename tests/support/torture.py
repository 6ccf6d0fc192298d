"""The messages of RFC 4475, in our own words: what is odd and sound, and what is broken with the right answer."""

from __future__ import annotations

from typing import Final

SDP = "v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 4000 RTP/AVP 0\n"


def message(
    start: str,
    *lines: str,
    body: str = "",
    without: tuple[str, ...] = (),
    length: str | None = None,
    cseq: str | None = None,
) -> bytes:
    """A message with the usual fields, those of `lines` in their place or beside them."""
    method = start.split(" ", 1)[0]
    usual = {
        "Via": "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKtorture;rport",
        "From": "<sip:caller@example.com>;tag=98",
        "To": "<sip:person@example.com>",
        "Call-ID": "torture@example.com",
        "CSeq": cseq or f"7 {method}",
        "Contact": "<sip:caller@192.0.2.9>",
        "Max-Forwards": "70",
    }
    given = {line.partition(":")[0].strip() for line in lines}
    fields = [f"{name}: {value}" for name, value in usual.items() if name not in (*given, *without)]
    if body and not any(name in given for name in ("Content-Type", "c")):
        fields.append("Content-Type: application/sdp")
    if length != "":
        fields.append(f"Content-Length: {len(body.encode()) if length is None else length}")
    head = "\r\n".join([start, *fields, *lines]).replace("\n ", "\r\n ").replace("\r\r", "\r")
    return f"{head}\r\n\r\n{body}".encode()


VALID: Final = {
    "white space, folded lines, short names and what nobody knows": (
        b"INVITE sip:person@example.com;unknownparam SIP/2.0\r\n"
        b"TO :\r\n sip:person@example.com\r\n"
        b'from   : "J. Doe \\\\\\""       <sip:jdoe@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n'
        b"MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.ndaks@192.0.2.1\r\n"
        b"Content-Length   : %d\r\ncseq: 0009\r\n  INVITE\r\n"
        b"Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=z9hG4bKws\r\n"
        b"s :\r\nNewFangledHeader:   newfangled value\r\n continued\r\n"
        b"UnknownHeaderWithUnusualValue: ;;,,;;,;\r\nContent-Type: application/sdp\r\n"
        b"v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n"
        b" SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n"
        b'm:"Quoted string \\"\\"" <sip:jdoe@example.com> ; newparam =\r\n      newvalue ;\r\n'
        b"  secondparam ; q = 0.33\r\n\r\n%s"
    )
    % (len(SDP), SDP.encode()),
    "escapes in a URI": message(
        "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0",
        "To: sip:%75se%72@example.com",
        body=SDP,
    ),
    "long values": message(
        f"INVITE sip:{'user' * 50}@{'host.' * 40}example.com SIP/2.0",
        f'From: "{"long " * 100}" <sip:{"caller" * 100}@example.com>;tag={"8" * 120};{"param" * 50}={"v" * 200}',
        f"Call-ID: {'longreq.' * 60}",
        f"Unknown-{'Long' * 10}: {'value ' * 300}",
        *(f"Via: SIP/2.0/TCP sip{number}.example.com;branch=z9hG4bK{'x' * 80}" for number in range(30)),
        "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKlong",
        body=SDP,
    ),
    "white space at the end of the start line": message("INVITE sip:person@example.com SIP/2.0  ", body=SDP),
    "header fields in the request URI": message(
        "INVITE sip:person@example.com?Route=%3Csip:example.com%3E SIP/2.0", body=SDP
    ),
    "a date in another zone": message(
        "INVITE sip:person@example.com SIP/2.0", "Date: Fri, 01 Jan 2010 16:00:00 EST", body=SDP
    ),
    "what RFC 2543 allowed: no tag, no branch": message(
        "INVITE sip:person@example.com SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.9",
        "From: <sip:+13035551111@192.0.2.9;user=phone>",
        "To: sip:+16505552222@example.net;user=phone",
        "Record-Route: <sip:person@example.com;maddr=192.0.2.5>",
        body=SDP,
        length="",
    ),
}

OTHERS: Final = {
    "a method of every character": (message("!interesting-Method0123456789_*+`.%indeed'~ sip:b@h SIP/2.0"), 501),
    "a method with escapes is another method": (message("RE%47IST%45R sip:h SIP/2.0"), 501),
    "escaped nulls": (message("REGISTER sip:h SIP/2.0", "To: sip:null-%00-null@h"), 405),
    "no space before the bracket": (message("OPTIONS sip:b@h SIP/2.0", "From: caller<sip:c@h>;tag=323"), 200),
    "semicolons in a user": (message("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0"), 200),
    "every transport": (
        message(
            "OPTIONS sip:b@h SIP/2.0",
            "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKt1",
            "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKt2",
            "Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bKt3",
            "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKt4",
        ),
        200,
    ),
    "a body of several parts": (
        message(
            "MESSAGE sip:b@h SIP/2.0",
            "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655",
            body="--7a9cbec02ceef655\r\nContent-Type: text/plain\r\n\r\nHi\0\x01\r\n--7a9cbec02ceef655--",
        ),
        405,
    ),
    "no way further, but it is here": (message("OPTIONS sip:b@h SIP/2.0", "Max-Forwards: 0"), 200),
    "an unknown scheme of credentials": (
        message("REGISTER sip:h SIP/2.0", "Authorization: NoOneKnowsThisScheme opaque-data=here"), 405,
    ),
    "parameters of a contact's URI": (
        message("REGISTER sip:h SIP/2.0", "Contact: sip:+19725552222@gw1.example.net;unknownparam"), 405,
    ),
    "an escaped header in a contact": (
        message("REGISTER sip:h SIP/2.0", "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>"), 405,
    ),
    "a branch that is only the cookie": (
        message("OPTIONS sip:b@h SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK"), 200,
    ),
    # Broken.
    "separators too many": (message("OPTIONS sip:b@h SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.15;;,;,,"), 400),
    "a length that is longer": (message("OPTIONS sip:b@h SIP/2.0", body="x", length="9999"), 400),
    "a negative length": (message("OPTIONS sip:b@h SIP/2.0", length="-999"), 400),
    "two lengths": (message("OPTIONS sip:b@h SIP/2.0", "Content-Length: 5", body="hello you"), 400),
    "a number out of range": (
        message("REGISTER sip:h SIP/2.0", cseq="36893488147419103232 REGISTER"), 400,
    ),
    "an unclosed quote": (message("OPTIONS sip:b@h SIP/2.0", 'To: "Mr. J. User <sip:j.user@example.com>'), 400),
    "brackets around the request URI": (message("INVITE <sip:b@h> SIP/2.0", body=SDP), 400),
    "white space in the request URI": (message("INVITE sip:b@h; lr SIP/2.0", body=SDP), 400),
    "white space between the parts of the start line": (message("INVITE  sip:b@h  SIP/2.0", body=SDP), 400),
    "tabs in the start line": (message("INVITE\tsip:b@h\tSIP/2.0", body=SDP, cseq="1 INVITE"), 400),
    "an unknown version": (message("OPTIONS sip:b@h SIP/7.0"), 505),
    "two methods": (message("OPTIONS sip:b@h SIP/2.0", cseq="8 INVITE"), 400),
    "two methods, one unknown": (message("NEWMETHOD sip:b@h SIP/2.0", cseq="34 INVITE"), 400),
    "fields missing": (message("INVITE sip:b@h SIP/2.0", without=("From", "To", "Call-ID")), 400),
    "values that contradict each other": (
        message("INVITE sip:b@h SIP/2.0", "From: <sip:a@h>;tag=1", "From: <sip:x@h>;tag=2", "Call-ID: 1",
                "Call-ID: 2", body=SDP),
        400,
    ),
    # Sound, but not for us.
    "an unknown scheme": (message("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"), 416),
    "a scheme of others": (message("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"), 416),
    "extensions of nobody": (
        message("OPTIONS sip:b@h SIP/2.0", "Require: nothingSupportsThis, nothingSupportsThisEither"), 420,
    ),
    "a body that nobody reads": (
        message("INVITE sip:b@h SIP/2.0", "Content-Type: application/unknownformat", body="<audio/>"), 415,
    ),
    "a caller that wants no description": (
        message("INVITE sip:b@h SIP/2.0", "Accept: text/nobodyKnowsThis", body=SDP), 406,
    ),
}  # fmt: skip
