"""Messages after RFC 4475 (SIP torture tests), by the RFC's own names. A status of 0: no answer is to come."""

from __future__ import annotations

from dataclasses import dataclass

from tests.sip.messages import described, raw


@dataclass(frozen=True)
class Torture:
    """name: the RFC's; status: what a server that takes calls and registers nobody answers."""

    name: str
    status: int
    data: bytes


SDP = described(
    "v=0", "o=mhandley 29739 7272939 IN IP4 192.0.2.3", "s=-", "c=IN IP4 192.0.2.4", "t=0 0",
    "m=audio 49217 RTP/AVP 0 12", "m=video 3227 RTP/AVP 31", "a=rtpmap:31 LPC",
)  # fmt: skip
WITH_SDP = ("Content-Type: application/sdp", f"Content-Length: {len(SDP)}")
UNUSUAL = "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com"


def usual(name: str, method: str, *, number: str = "1", to: str = "sip:user@example.com") -> list[str]:
    """The headers that a message has besides what it is about."""
    return [
        "Max-Forwards: 70",
        f"To: {to}",
        f"From: sip:caller@example.net;tag={name}",
        f"Call-ID: {name}.call@192.0.2.1",
        f"CSeq: {number} {method}",
        f"Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bK{name}",
        "Contact: <sip:caller@host5.example.net>",
    ]


def without(lines: list[str], *names: str) -> list[str]:
    return [line for line in lines if line.split(":")[0] not in names]


WSINV = raw(
    "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0",
    "TO :",
    " sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n",
    'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>',
    "  ;",
    "  tag = 98asjd8",
    "MaX-fOrWaRdS: 0068",
    "Call-ID: wsinv.ndaksdj@192.0.2.1",
    f"Content-Length   : {len(SDP)}",
    "cseq: 0009",
    "  INVITE",
    "Via  : SIP  /   2.0",
    " /UDP",
    "    192.0.2.2;branch=390skdjuw",
    "s :",
    "NewFangledHeader:   newfangled value",
    " continued newfangled value",
    "UnknownHeaderWithUnusualValue: ;;,,;;,;",
    "Content-Type: application/sdp",
    "Route:",
    " <sip:services.example.com;lr;unknownwith=value;unknown-no-value>",
    "v:  SIP  / 2.0  / TCP     spindle.example.com   ;",
    "  branch  =   z9hG4bK9ikj8  ,",
    " SIP  /    2.0   / UDP  192.168.255.111   ; branch=",
    " z9hG4bK30239",
    'm:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =',
    "      newvalue ;",
    "  secondparam ; q = 0.33",
    body=SDP,
)
LONG = "really" * 40
SIGNATURE = bytes.fromhex("3082015206092a864886f70d010702a08201433000ff0d0a0d0a2d2d") + bytes(range(256)) + b"\r\n"
"""As a signature is: any octets, line ends and dashes among them."""
MULTIPART = (
    b"--7a9cbec02ceef655\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\nHello\r\n"
    b"--7a9cbec02ceef655\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b"%b\r\n--7a9cbec02ceef655--\r\n"
) % SIGNATURE

VALID = [
    Torture("wsinv", 481, WSINV),
    Torture("intmeth", 501, raw(
        f"!interesting-Method0123456789_*+`.%indeed'~ {UNUSUAL} SIP/2.0",
        "Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~",
        f'To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <{UNUSUAL}>',
        "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>"
        ";fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.",
        "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
        "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~",
        "Max-Forwards: 255",
        "extensionHeader-!.%*+_`'~: \ufeff大停電",
        "Content-Length: 0",
    )),
    Torture("esc01", 486, raw(
        "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0",
        *usual("esc01", "INVITE", to="sip:%75se%72@example.com"), *WITH_SDP, body=SDP,
    )),
    Torture("escnull", 405, raw(
        "REGISTER sip:example.com SIP/2.0",
        *without(usual("escnull", "REGISTER", to="sip:null-%00-null@example.com"), "Contact"),
        "Contact: <sip:%00@host5.example.com>", "Contact: <sip:%00%00@host5.example.com>", "L:0",
    )),
    Torture("esc02", 501, raw(
        "RE%47IST%45R sip:registrar.example.com SIP/2.0",
        *usual("esc02", "RE%47IST%45R", to='"%Z%45" <sip:resource@example.com>'), "l: 0",
    )),
    Torture("lwsdisp", 200, raw(
        "OPTIONS sip:user@example.com SIP/2.0", *without(usual("lwsdisp", "OPTIONS"), "From"),
        "From: caller<sip:caller@example.com>;tag=323", "l: 0",
    )),
    Torture("longreq", 486, raw(
        "INVITE sip:user@example.com SIP/2.0", *without(usual("longreq", "INVITE"), "To", "From", "Call-ID", "Via"),
        f'To: "I have a user name of {LONG} extreme proportion" <sip:user@example.com:6000;{LONG}1={LONG};short>',
        f"F: sip:{LONG}@example.net;tag=12{LONG}424;unknownheaderparam{LONG}name={LONG}value",
        f"Call-ID: longreq.{LONG}longcallid",
        f"Unknown-{LONG}-Name: unknown-{LONG}-value; unknown-{LONG}-parameter-name = {LONG}",
        *[f"Via: SIP/2.0/TCP sip{number}.example.com" for number in range(33, 1, -1)],
        f"v: SIP/2.0/TCP host.example.com;received=192.0.2.5;branch=very{LONG}long",
        *WITH_SDP, body=SDP,
    )),
    Torture("dblreq", 405, raw(
        "REGISTER sip:example.com SIP/2.0", *usual("dblreq", "REGISTER"), "Content-Length: 0",
        body=raw("", "INVITE sip:joe@example.com SIP/2.0", *usual("dblreq2", "INVITE"), *WITH_SDP, body=SDP),
    )),
    Torture("semiuri", 200, raw(
        "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", *usual("semiuri", "OPTIONS"), "l: 0",
    )),
    Torture("transports", 200, raw(
        "OPTIONS sip:user@example.com SIP/2.0", *usual("transports", "OPTIONS"),
        "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf",
        "Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj",
        "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en", "l: 0",
    )),
    Torture("mpart01", 405, raw(
        "MESSAGE sip:kumiko@example.org SIP/2.0", *usual("mpart01", "MESSAGE"),
        "MIME-Version: 1.0", "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655",
        f"Content-Length: {len(MULTIPART)}", body=MULTIPART,
    )),
    Torture("unreason", 0, raw(
        "SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое",
        *usual("unreason", "INVITE"), *WITH_SDP, body=SDP,
    )),
    Torture("noreason", 0, raw("SIP/2.0 100 ", *usual("noreason", "INVITE"), "Content-Length: 0")),
]  # fmt: skip

INVALID = [
    Torture("badinv01", 400, raw(
        "INVITE sip:user@example.com SIP/2.0", *without(usual("badinv01", "INVITE"), "Via", "Contact"),
        "Via: SIP/2.0/UDP 192.0.2.15;;,;,,", 'Contact: "Joe" <sip:joe@example.org>;;;;', *WITH_SDP, body=SDP,
    )),
    Torture("clerr", 400, raw(
        "INVITE sip:user@example.com SIP/2.0", *usual("clerr", "INVITE"),
        "Content-Type: application/sdp", "Content-Length: 9999", body=SDP,
    )),
    Torture("ncl", 400, raw(
        "INVITE sip:user@example.com SIP/2.0", *usual("ncl", "INVITE"),
        "Content-Type: application/sdp", "Content-Length: -999", body=SDP,
    )),
    Torture("scalar02", 400, raw(
        "REGISTER sip:example.com SIP/2.0",
        *without(usual("scalar02", "REGISTER", number="36893488147419103232"), "Max-Forwards"),
        "Max-Forwards: 300", "l: 0", f"Expires: 1{'0' * 100}",
        f"Contact: <sip:user@host129.example.com>;expires=28{'0' * 30}",
    )),
    Torture("scalarlg", 0, raw(
        "SIP/2.0 503 Service Unavailable", *usual("scalarlg", "OPTIONS", number="9292394834772304023312"),
        f"Retry-After: 949302838503028349304023988{'0' * 30}", f"Warning: 1812 overture \"{'x' * 30}\"", "l: 0",
    )),
    Torture("quotbal", 400, raw(
        "INVITE sip:user@example.com SIP/2.0",
        *usual("quotbal", "INVITE", to='"Mr. J. User <sip:j.user@example.com>'), *WITH_SDP, body=SDP,
    )),
    Torture("ltgtruri", 400, raw(
        "INVITE <sip:user@example.com> SIP/2.0", *usual("ltgtruri", "INVITE"), *WITH_SDP, body=SDP,
    )),
    Torture("lwsruri", 400, raw(
        "INVITE sip:user@example.com; lr SIP/2.0", *usual("lwsruri", "INVITE"), *WITH_SDP, body=SDP,
    )),
    Torture("lwsstart", 400, raw(
        "INVITE  sip:user@example.com  SIP/2.0", *usual("lwsstart", "INVITE"), *WITH_SDP, body=SDP,
    )),
    Torture("trws", 400, raw("OPTIONS sip:remote-target@example.com SIP/2.0  ", *usual("trws", "OPTIONS"), "l: 0")),
    Torture("escruri", 486, raw(
        "INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0",
        *usual("escruri", "INVITE"), *WITH_SDP, body=SDP,
    )),
    Torture("baddate", 486, raw(
        "INVITE sip:user@example.com SIP/2.0", *usual("baddate", "INVITE"),
        "Date: Fri, 01 Jan 2010 16:00:00 EST", *WITH_SDP, body=SDP,
    )),
    Torture("regbadct", 405, raw(
        "REGISTER sip:example.com SIP/2.0", *without(usual("regbadct", "REGISTER"), "Contact"),
        "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E", "l: 0",
    )),
    Torture("badaspec", 400, raw(
        "OPTIONS sip:user@example.org SIP/2.0",
        *usual("badaspec", "OPTIONS", to='"Watson, Thomas" < sip:t.watson@example.org >'), "l: 0",
    )),
    Torture("baddn", 400, raw(
        "OPTIONS sip:t.watson@example.org SIP/2.0", *without(usual("baddn", "OPTIONS"), "From"),
        "From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43", "l: 0",
    )),
    Torture("badvers", 505, raw(
        "OPTIONS sip:t.watson@example.org SIP/7.0", *without(usual("badvers", "OPTIONS"), "Via"),
        "Via: SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw", "l: 0",
    )),
    Torture("mismatch01", 400, raw("OPTIONS sip:user@example.com SIP/2.0", *usual("mismatch01", "INVITE"), "l: 0")),
    Torture("mismatch02", 400, raw(
        "NEWMETHOD sip:user@example.com SIP/2.0", *usual("mismatch02", "INVITE"), *WITH_SDP, body=SDP,
    )),
    Torture("bigcode", 0, raw("SIP/2.0 4294967301 better not break the receiver", *usual("bigcode", "INVITE"), "l: 0")),
]  # fmt: skip

SEMANTICS = [
    Torture("badbranch", 200, raw(
        "OPTIONS sip:user@example.com SIP/2.0", *without(usual("badbranch", "OPTIONS"), "Via"),
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK", "l: 0",
    )),
    Torture("insuf", 400, raw(
        "INVITE sip:user@example.com SIP/2.0", *without(usual("insuf", "INVITE"), "To", "From", "Call-ID"),
        *WITH_SDP, body=SDP,
    )),
    Torture("unkscm", 416, raw(
        "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", *usual("unkscm", "OPTIONS"), "l: 0",
    )),
    Torture("novelsc", 416, raw("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", *usual("novelsc", "OPTIONS"), "l: 0")),
    Torture("unksm2", 405, raw(
        "REGISTER sip:example.com SIP/2.0", *usual("unksm2", "REGISTER", to="isbn:2983792873"), "l: 0",
    )),
    Torture("bext01", 420, raw(
        "OPTIONS sip:user@example.com SIP/2.0", *usual("bext01", "OPTIONS"),
        "Require: nothingSupportsThis, nothingSupportsThisEither", "Proxy-Require: noProxiesSupportThis", "l: 0",
    )),
    Torture("invut", 415, raw(
        "INVITE sip:user@example.com SIP/2.0", *usual("invut", "INVITE"),
        "Content-Type: application/unknownformat", "Content-Length: 5", body=b"<aud>",
    )),
    Torture("regaut01", 405, raw(
        "REGISTER sip:example.com SIP/2.0", *usual("regaut01", "REGISTER"),
        "Authorization: NoOneKnowsThisScheme opaque-data=here", "l: 0",
    )),
    Torture("multi01", 400, raw(
        "INVITE sip:user@company.com SIP/2.0", *usual("multi01", "INVITE"), *usual("multi01b", "INVITE", number="59"),
        *WITH_SDP, body=SDP,
    )),
    Torture("mcl01", 400, raw(
        "OPTIONS sip:user@example.com SIP/2.0", *usual("mcl01", "OPTIONS"), "Content-Length: 13", "Content-Length: 5",
        body=b"There's no way to know",
    )),
    Torture("bcast", 0, raw(
        "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23",
        *without(usual("bcast", "INVITE"), "Via"), *WITH_SDP, body=SDP,
    )),
    Torture("zeromf", 200, raw(
        "OPTIONS sip:user@example.com SIP/2.0", *without(usual("zeromf", "OPTIONS"), "Max-Forwards"),
        "Max-Forwards: 0", "l: 0",
    )),
    Torture("cparam01", 405, raw(
        "REGISTER sip:example.com SIP/2.0", *without(usual("cparam01", "REGISTER"), "Contact"),
        "Contact: sip:+19725552222@gw1.example.net;unknownparam", "l: 0",
    )),
    Torture("cparam02", 405, raw(
        "REGISTER sip:example.com SIP/2.0", *without(usual("cparam02", "REGISTER"), "Contact"),
        "Contact: <sip:+19725552222@gw1.example.net;unknownparam>", "l: 0",
    )),
    Torture("regescrt", 405, raw(
        "REGISTER sip:example.com SIP/2.0", *without(usual("regescrt", "REGISTER"), "Contact"),
        "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>", "l: 0",
    )),
    Torture("sdp01", 406, raw(
        "INVITE sip:user@example.com SIP/2.0", *usual("sdp01", "INVITE"), "Accept: text/nobodyKnowsThis",
        *WITH_SDP, body=SDP,
    )),
    Torture("inv2543", 486, raw(
        "INVITE sip:UserB@example.com SIP/2.0", "Via: SIP/2.0/UDP iftgw.example.com",
        "From: <sip:+13035551111@ift.example.net>",
        "Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>",
        "To: sip:+16505552222@ss1.example.net;user=phone", "Call-ID: inv2543.1717@ift.client.example.com",
        "CSeq: 56 INVITE", "Content-Type: application/sdp", body=SDP,
    )),
]  # fmt: skip

ALL = [*VALID, *INVALID, *SEMANTICS]
