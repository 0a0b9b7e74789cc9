"""Digest: the examples of RFC 2617 and RFC 7616, and what peers write into challenges."""

from __future__ import annotations

import pytest

from tests.sip.messages import parsed, request
from voice.sip import SipError
from voice.sip.digest import (
    HASHES,
    Authorization,
    Challenge,
    Credentials,
    authorization_header,
    challenges_of,
    parse_authorization,
    parse_challenges,
    response_to,
    strongest,
)
from voice.sip.response import build_response

MUFASA = "http-auth@example.org"
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OWN = Credentials("Mufasa", "Circle of Life")


def challenge(text: str) -> Challenge:
    (found,) = parse_challenges([text])
    return found


def answer(asked: Challenge, method: str = "GET", uri: str = "/dir/index.html", **changes: object) -> Authorization:
    """What we write, read again."""
    values: dict[str, object] = {"nonce_count": 1, "cnonce": CNONCE, **changes}
    _, value = authorization_header(asked, OWN, method, uri, **values)  # type: ignore[arg-type]
    read = parse_authorization(value)
    assert read is not None
    return read


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    asked = challenge(
        f'Digest realm="{MUFASA}", qop="auth, auth-int", algorithm={algorithm}, nonce="{NONCE}", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    name, value = authorization_header(asked, OWN, "GET", "/dir/index.html", nonce_count=1, cnonce=CNONCE)
    assert name == "Authorization"
    assert f'response="{response}"' in value
    assert f"algorithm={algorithm}" in value
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in value
    assert "qop=auth," in value
    assert value.endswith("nc=00000001")


def test_rfc_2617_section_3_5() -> None:
    asked = challenge(
        'Digest realm="testrealm@host.com",\tqop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    own = Credentials("Mufasa", "Circle Of Life")
    _, value = authorization_header(asked, own, "GET", "/dir/index.html", nonce_count=1, cnonce="0a4f113b")
    assert 'response="6629fae49393a05397450978507c4ef1"' in value
    assert "algorithm" not in value, "it is named only where the challenge names it"


def test_without_qop_neither_cnonce_nor_count_is_sent() -> None:
    """The challenge is that of RFC 3665 section 2.1, with its empty qop."""
    asked = challenge(
        'Digest realm="atlanta.example.com", qop="", nonce="ea9c8e88df84f1cec4341ae6cbe5a359", opaque="", stale=FALSE'
    )
    assert asked == Challenge("atlanta.example.com", "ea9c8e88df84f1cec4341ae6cbe5a359", opaque="")
    own = Credentials("bob", "zanzibar")
    _, value = authorization_header(asked, own, "REGISTER", "sips:ss2.biloxi.example.com", nonce_count=1, cnonce="x")
    assert 'opaque=""' in value
    assert "cnonce" not in value
    assert "nc=" not in value
    md5 = HASHES["MD5"]
    secret, what = md5(b"bob:atlanta.example.com:zanzibar"), md5(b"REGISTER:sips:ss2.biloxi.example.com")
    assert f'response="{md5(f"{secret}:{asked.nonce}:{what}".encode())}"' in value


def test_the_session_algorithms_hash_nonce_and_cnonce_in() -> None:
    """RFC 2617 section 3.2.2.2: A1 = H(user:realm:password):nonce:cnonce."""
    md5 = HASHES["MD5"]
    asked = Challenge("r", "n", "MD5-sess", ("auth",))
    first = md5(f"{md5(b'Mufasa:r:Circle of Life')}:n:c".encode())
    expected = md5(f"{first}:n:00000002:c:auth:{md5(b'GET:/')}".encode())
    assert answer(asked, uri="/", nonce_count=2, cnonce="c").response == expected


def test_auth_int_hashes_the_body_and_is_taken_only_where_nothing_else_is_offered() -> None:
    md5 = HASHES["MD5"]
    read = answer(Challenge("r", "n", "MD5", ("auth-int",)), uri="/", cnonce="c", body=b"v=0")
    what = md5(f"GET:/:{md5(b'v=0')}".encode())
    assert read.qop == "auth-int"
    assert read.response == md5(f"{md5(b'Mufasa:r:Circle of Life')}:n:00000001:c:auth-int:{what}".encode())
    assert answer(Challenge("r", "n", "MD5", ("auth-int", "auth"))).qop == "auth"


@pytest.mark.parametrize("name", HASHES)
def test_sha_512_256_is_no_cut_sha_512(name: str) -> None:
    lengths = {"SHA-512-256": 64, "SHA-256": 64, "MD5": 32}
    assert len(HASHES[name](b"abc")) == lengths[name]
    if name == "SHA-512-256":  # FIPS 180-4, SHA-512/256 of "abc"
        assert HASHES[name](b"abc") == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"


def test_the_strongest_that_we_can_do_is_taken() -> None:
    values = [
        'Digest realm="a", nonce="1"',
        'Digest realm="a", nonce="2", algorithm=SHA-256, qop="auth"',
        'Digest realm="a", nonce="3", algorithm=SHA-256, qop="auth"',
        'Digest realm="a", nonce="4", algorithm=SHA3-512, qop="auth"',
        'Digest realm="a", nonce="5", algorithm=SHA-256, qop="token"',
        'Basic realm="a"',
        "NTLM",
    ]
    best = strongest(parse_challenges(values))
    assert best is not None
    assert best.nonce == "2"
    assert strongest(parse_challenges(values[3:])) is None
    with pytest.raises(SipError):
        authorization_header(parse_challenges(values)[3], OWN, "INVITE", "sip:a@h", nonce_count=1, cnonce="c")


def test_several_challenges_may_stand_in_one_line() -> None:
    """RFC 7235 section 4.1."""
    line = (
        'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Digest realm="a, b; c", nonce = "1" ,'
        'qop="auth", algorithm="md5", Negotiate, Negotiate YWJj==, dIGEST nonce=2,realm=r'
    )
    found = parse_challenges([line])
    assert [(item.realm, item.nonce, item.algorithm, item.qop) for item in found] == [
        ("a, b; c", "1", "md5", ("auth",)),
        ("r", "2", "", ()),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "Digest", "Digest realm=", 'Digest realm="x"', 'Digest nonce="x"', 'Digest realm="x", nonce=""', "realm=x",
     'Digest realm="x", nonce="a\x00b"', 'Digest realm="x", nonce="a", algorithm="MD5, SHA"',
     'Digest realm="x, nonce=1'],
)  # fmt: skip
def test_what_is_no_challenge_is_left_out(text: str) -> None:
    assert parse_challenges([text]) == []


def test_quotes_and_backslashes_come_back_as_they_were() -> None:
    asked = challenge(r'Digest realm="a \"b\" \\c", nonce="n\"1", opaque="o\\", domain="sip:x", future="1"')
    assert (asked.realm, asked.nonce, asked.opaque) == (r'a "b" \c', 'n"1', "o\\")
    _, value = authorization_header(asked, Credentials('J "R"', "p"), "INVITE", "sip:a@h", nonce_count=1, cnonce="c")
    read = parse_authorization(value)
    assert read is not None
    assert (read.username, read.realm, read.nonce) == ('J "R"', asked.realm, asked.nonce)


def test_names_beyond_ascii_are_hashed_as_utf_8() -> None:
    asked = challenge('Digest realm="café", nonce="n"')
    _, value = authorization_header(asked, Credentials("日本", "пароль"), "INVITE", "sip:a@h", nonce_count=1, cnonce="")
    md5 = HASHES["MD5"]
    expected = md5(f"{md5('日本:café:пароль'.encode())}:n:{md5(b'INVITE:sip:a@h')}".encode())
    assert f'response="{expected}"' in value


def test_a_401_and_a_407_are_answered_in_their_own_headers() -> None:
    asked = request("REGISTER")
    headers = (("WWW-Authenticate", 'Digest realm="a", nonce="1", stale=TRUE'),
               ("Proxy-Authenticate", 'Digest realm="p", nonce="2"'))  # fmt: skip
    found = challenges_of(parsed(build_response(parsed(asked), 407, headers=headers)))
    assert [(item.realm, item.proxy, item.stale) for item in found] == [("a", False, True), ("p", True, False)]
    name, _ = authorization_header(found[1], OWN, "REGISTER", "sip:h", nonce_count=1, cnonce="c")
    assert name == "Proxy-Authorization"


@pytest.mark.parametrize(
    "value",
    ["Digest", 'Digest username="a"', 'Digest username="a", realm="r", nonce="n", uri="u"',
     'Digest username="a", realm="r", nonce="n", uri="u", response="x", nc=1',
     'Digest username="a", realm="r", nonce="n", uri="u", response="x", qop=auth',
     'Digest username="a", realm="r", nonce="n", uri="u", response="x", qop=auth, nc=00000001',
     'Digest username="a\x01", realm="r", nonce="n", uri="u", response="x"'],
)  # fmt: skip
def test_broken_credentials_are_refused(value: str) -> None:
    with pytest.raises(SipError) as caught:
        parse_authorization(value)
    assert caught.value.status == 400


@pytest.mark.parametrize("value", ["", "Basic YTpi", "Bearer x", "DigestX a=b"])
def test_other_schemes_are_passed_over(value: str) -> None:
    assert parse_authorization(value) is None


def test_the_password_is_shown_nowhere() -> None:
    assert "Circle" not in repr(OWN)
    with pytest.raises(KeyError):
        response_to(Authorization("a", "r", "n", "u", "", "SHA-1"), "p", "GET")
