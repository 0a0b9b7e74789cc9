"""What comes from a stranger's server: the XML itself, its size, its encoding, and what stands where."""

from __future__ import annotations

import codecs

import pytest

from tests.twiml.documents import URL, only, read, refused
from voice.twiml.codes import ERRORS, NOTICES
from voice.twiml.parse import MOST_NOTICES, MOST_VERBS
from voice.twiml.table import NOT_YET, VERBS
from voice.twiml.tree import MOST_BYTES, MOST_DEPTH

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefghi", "bcdefghij", strict=True))
    + "]><Response><Say>&j;</Say></Response>"
)
OUTSIDE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Response><Say>&x;</Say></Response>'
PARAMETER = '<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x;]><Response/>'


def nested(depth: int) -> str:
    return "<Response>" + "<a>" * (depth - 1) + "</a>" * (depth - 1) + "</Response>"


class TestXml:
    @pytest.mark.parametrize("written", ["<Response/>", "<Response></Response>", "<Response> \n <!-- --> </Response>"])
    def test_a_document_may_be_empty(self, written: str) -> None:
        document = read(written, strict=True)
        assert (document.url, document.steps, document.notices) == (URL, (), ())

    @pytest.mark.parametrize("written", [LAUGHS, OUTSIDE, PARAMETER, "<!DOCTYPE Response><Response/>"])
    def test_document_types_and_entities_are_not_taken(self, written: str) -> None:
        error = refused(written)
        assert error.code == 12100
        assert "document type (DTD)" in str(error)
        assert error.line == 1

    @pytest.mark.parametrize(
        ("written", "place", "says"),
        [
            ("<Response>", (1, 11), "no element found"),
            ("<Response>\n  <Say>Hi</say>\n</Response>", (2, 12), "mismatched tag"),
            ("<Response>\n<Say>you & me</Say></Response>", (2, 11), "A bare & is written &amp;."),
            ("<Response><Say>a&nbsp;b</Say></Response>", (1, 17), "XML has only &amp;"),
            ("<Response><v:Mailbox/></Response>", (1, 11), 'xmlns:v="urn:voicemail-pro:1"'),
            ("\n<?xml version='1.0'?><Response/>", (2, 1), "White space comes before the XML declaration."),
            ("<Response/><Response/>", (1, 12), "junk after document element"),
            ("<Response><Say loop=1>x</Say></Response>", (1, 21), "not well-formed"),
            ("<Response><Say loop='1' loop='2'>x</Say></Response>", (1, 25), "duplicate attribute"),
            ("<Response><Say>\x01</Say></Response>", (1, 16), "not well-formed"),
            ('{"actions": []}', (1, 1), "It looks like JSON."),
            ("Hello!", None, "It does not begin with a tag."),
            ("<html><p>Sorry<br></html>", (1, 21), "It looks like a web page"),
            ("<!DOCTYPE html><title>500</title>", None, "It looks like a web page"),
        ],
    )
    def test_what_is_broken_is_told_with_its_place(
        self, written: str, place: tuple[int, int] | None, says: str
    ) -> None:
        """place: None where it is the parser's taste."""
        error = refused(written)
        place = place or (1, error.column)
        assert (error.code, error.line, error.column) == (12100, *place)
        assert says in str(error)
        assert str(error).startswith(f"Line {place[0]}, column {place[1]}: ")

    @pytest.mark.parametrize("cut", range(1, 98, 7))
    def test_a_document_that_was_cut_off_is_none(self, cut: int) -> None:
        whole = (
            '<?xml version="1.0" encoding="UTF-8"?><Response><Gather numDigits="1"><Say>Hi</Say></Gather></Response>'
        )
        assert refused(whole[:cut]).code == 12100

    @pytest.mark.parametrize(
        ("written", "says"),
        [
            ("<html><body/></html>", "It looks like a web page."),
            ("<response/>", "names are case-sensitive"),
            ("<Say>Hi</Say>", "the root is <Say>"),
            ('<Response xmlns="http://example.com/"/>', "the root is <{http://example.com/}Response>"),
        ],
    )
    def test_the_root_is_response(self, written: str, says: str) -> None:
        error = refused(written)
        assert (error.code, error.line, error.column) == (12102, 1, 1)
        assert says in str(error)

    @pytest.mark.parametrize("written", ["", " \n\t "])
    def test_an_empty_answer_is_no_document(self, written: str) -> None:
        assert refused(written).code == 11770

    def test_64_kilobytes_are_the_most(self) -> None:
        """A byte more is refused before it is looked at."""
        start, end = "<Response><Say>", "</Say></Response>"
        fits = start + "x" * (MOST_BYTES - len(start + end)) + end
        assert len(fits) == 65536
        assert len(read(fits).steps) == 1
        assert refused(fits.replace("x", "xx", 1)).code == 11750

    def test_1000_verbs_are_the_most(self) -> None:
        """Nested ones count; what is no verb does not."""
        assert MOST_VERBS == 1000
        fits = "<Response><Gather>" + "<Say>a</Say>" * 99 + "</Gather>" + "<Pause/>" * 900 + "<Sey/></Response>"
        assert len(read(fits).steps) == 901
        error = refused(fits.replace("<Sey/>", "<Hangup/>"))
        assert (error.code, error.line) == (11750, 1)
        assert str(error).endswith(": the document has more than 1000 verbs.")

    def test_32_elements_within_each_other_are_the_most(self) -> None:
        assert MOST_DEPTH == 32
        assert read(nested(32)).steps == ()
        error = refused(nested(33))
        assert (error.code, error.line, error.column) == (12100, 1, 11 + 31 * 3)

    def test_comments_sections_and_instructions_say_nothing(self) -> None:
        say = "<Say>one<!-- two --><![CDATA[ <&> ]]>three<?x y?></Say>"
        written = f'<?xml version="1.0"?>\n<!-- x --><?php echo 1 ?><Response><!-- y -->{say}</Response>\n'
        assert only(written).text == "one <&> three"

    def test_references_to_characters_are_taken(self) -> None:
        assert only("<Response><Say>&#72;&#x69; &lt;&amp;&gt;</Say></Response>").text == "Hi <&>"

    def test_places_count_letters_from_one(self) -> None:
        document = read('<Response>\n <Say>äöü</Say><Pause length="x"/>\n\n\t<Hangup/></Response>')
        assert [(step.line, step.column) for step in document.steps] == [(2, 2), (2, 16), (4, 2)]
        assert [(notice.line, notice.column) for notice in document.notices] == [(2, 16)]


class TestEncodings:
    TEXT = "<Response><Say>Grüße, 日本</Say></Response>"

    @pytest.mark.parametrize(
        "body",
        [
            TEXT.encode(),
            codecs.BOM_UTF8 + TEXT.encode(),
            TEXT.encode("utf-16"),
            codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
            TEXT.encode("utf-16-le"),
            f'<?xml version="1.0" encoding="UTF-16"?>{TEXT}'.encode("utf-16"),
            f'<?xml version="1.0" encoding="gb18030"?>{TEXT}'.encode("gb18030"),
        ],
    )
    def test_what_it_says_it_is(self, body: bytes) -> None:
        assert only(body).text == "Grüße, 日本"

    def test_latin_1_has_to_be_declared(self) -> None:
        declared = '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>Grüße</Say></Response>'.encode("latin-1")
        assert only(declared).text == "Grüße"
        error = refused("<Response>\n<Say>Grüße</Say></Response>".encode("latin-1"))
        assert (error.code, error.line, error.column) == (12100, 2, 8)
        assert "not UTF-8" in str(error)

    def test_http_goes_before_the_document(self) -> None:
        """RFC 7303, section 3.2: the charset of the Content-Type counts, but for a byte order mark."""
        body = '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>Grüße</Say></Response>'.encode()
        assert read(body, charset="utf-8").steps[0].text == "Grüße"
        assert read(codecs.BOM_UTF8 + body, charset="latin-1").steps[0].text == "Grüße"

    @pytest.mark.parametrize("name", ["zlib", "hex", "utf-7", "idna", "unicode_escape", "klingon", "x" * 41, "\0"])
    def test_only_encodings_of_text_are_known(self, name: str) -> None:
        assert refused("<Response/>", charset=name).code == 12100

    def test_an_unknown_one_is_named(self) -> None:
        assert "“klingon” is not known" in str(refused('<?xml version="1.0" encoding="klingon"?><Response/>'))


class TestVerbs:
    @pytest.mark.parametrize("name", NOT_YET)
    def test_what_is_not_there_yet_is_left_out(self, name: str) -> None:
        written = f"<Response><{name} x='1'><Number>1</Number></{name}><Hangup/></Response>"
        document = read(written)
        assert [step.name for step in document.steps] == ["Hangup"]
        assert [notice.code for notice in document.notices] == [13750]
        assert refused(written, strict=True).code == 13750

    @pytest.mark.parametrize(
        ("name", "meant"), [("say", "Say"), ("SAY", "Say"), ("Gathr", "Gather"), ("VoiceMail", "Voicemail")]
    )
    def test_names_are_case_sensitive(self, name: str, meant: str) -> None:
        document = read(f"<Response>\n  <{name}>x</{name}></Response>")
        assert document.steps == ()
        (notice,) = document.notices
        assert (notice.code, notice.line, notice.column) == (12200, 2, 3)
        assert notice.text == f"<{name}> is no verb, and is left out. Did you mean {meant}?"

    def test_attributes_are_case_sensitive(self) -> None:
        document = read('<Response><Gather numdigits="1" finish_on_key="*"/></Response>')
        assert [notice.text.rpartition(". ")[2] for notice in document.notices] == [
            "Did you mean numDigits?", "Did you mean finishOnKey?",
        ]  # fmt: skip
        assert document.steps[0].attributes["numDigits"] == 0

    def test_strict_stops_at_the_first_of_them(self) -> None:
        error = refused("<Response>\n<Hangup now='1'/></Response>", strict=True)
        assert (error.code, error.line, error.column) == (12200, 2, 1)
        assert str(error) == "Line 2, column 1: <Hangup> has no attribute now; it is left out."

    def test_words_between_verbs(self) -> None:
        document = read("<Response>Hello <Say>x</Say> and\n\n  bye</Response>")
        assert [(notice.code, notice.line, notice.column) for notice in document.notices] == [(12200, 1, 11)]

    @pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if not verb.text and not verb.children])
    def test_a_verb_without_text_and_children(self, name: str) -> None:
        document = read(f"<Response><{name}>x<Say>y</Say></{name}></Response>")
        assert [step.children for step in document.steps] == [()]
        assert [notice.code for notice in document.notices] == [12200, 12200]

    def test_gather_takes_say_play_and_pause(self) -> None:
        step = only("<Response><Gather> <Say>x</Say><Play>y</Play><Pause/> </Gather></Response>")
        assert [child.name for child in step.children] == ["Say", "Play", "Pause"]

    @pytest.mark.parametrize("name", ["Record", "Gather", "Redirect", "Number", "Dial"])
    def test_gather_takes_nothing_else(self, name: str) -> None:
        document = read(f"<Response><Gather><{name}/><Say>x</Say></Gather></Response>")
        assert [child.name for child in document.steps[0].children] == ["Say"]
        assert [notice.code for notice in document.notices] == [13320]

    def test_words_in_gather_are_not_said(self) -> None:
        assert [notice.code for notice in read("<Response><Gather>Press 1</Gather></Response>").notices] == [12200]

    @pytest.mark.parametrize(
        ("written", "code"), [("<Say> </Say>", 13520), ("<Play/>", 12200), ('<Play digits=""/>', 12200)]
    )
    def test_what_needs_a_text_is_left_out_without(self, written: str, code: int) -> None:
        document = read(f"<Response>{written}</Response>")
        assert document.steps == ()
        assert [notice.code for notice in document.notices] == [code]

    def test_redirect_without_a_url_is_this_document(self) -> None:
        assert only("<Response><Redirect/></Response>").text == ""

    def test_4096_characters_are_the_most_that_is_said(self) -> None:
        assert len(only(f"<Response><Say>{'x' * 4096}</Say></Response>").text) == 4096
        document = read(f"<Response><Say>{'x' * 4097}</Say></Response>")
        assert len(document.steps[0].text) == 4096
        assert [notice.code for notice in document.notices] == [13521]

    def test_markup_of_speech_is_read_over(self) -> None:
        """SSML: the words count, of <sub> its alias; one notice for each Say."""
        document = read(
            "<Response><Say>To<break time='1s'/>night <emphasis>we <w>re</w>st</emphasis>."
            "<p>At <sub alias='nine o’clock'>9</sub></p>sharp</Say></Response>"
        )
        assert document.steps[0].text == "To night we rest. At nine o’clock sharp"
        assert [notice.code for notice in document.notices] == [13520]

    def test_white_space_is_one_space_when_said_and_none_around_urls(self) -> None:
        document = read("<Response><Say>\n a\n\t b </Say><Play>\n  /a.wav\n</Play></Response>")
        assert [step.text for step in document.steps] == ["a b", "/a.wav"]

    def test_notices_have_an_end(self) -> None:
        document = read("<Response>" + "<Sya/>" * 9000 + "</Response>")
        assert len(document.notices) == MOST_NOTICES + 1
        assert document.notices[-1].text == f"{9000 - MOST_NOTICES} more things are wrong."

    def test_what_is_quoted_is_short_and_in_one_line(self) -> None:
        (notice,) = read(f"<Response><Pause length='{'9' * 500}&#10;\u2028'/></Response>").notices
        assert "\n" not in notice.text
        assert len(notice.text) < 200

    def test_every_number_is_explained(self) -> None:
        codes = {row.code for verb in VERBS.values() for row in verb.attributes}
        assert codes <= set(NOTICES)
        assert not set(NOTICES) & set(ERRORS)


class TestNamespaces:
    OURS = 'xmlns:v="urn:voicemail-pro:1"'

    @pytest.mark.parametrize(
        "written",
        [
            f'<Response {OURS}><v:Voicemail mailbox="1001"/></Response>',
            f'<Response {OURS}><v:Voicemail v:mailbox="1001"/></Response>',
            '<Response><Voicemail xmlns="urn:voicemail-pro:1" mailbox="1001"/></Response>',
            '<Response xmlns="urn:voicemail-pro:1"><Voicemail mailbox="1001"/></Response>',
            '<Response><Voicemail mailbox="1001"/></Response>',
        ],
    )
    def test_ours_is_taken_and_none_too(self, written: str) -> None:
        """Twilio has no verb of these names, so the short form is clear; the namespace keeps it so for ever."""
        step = only(written)
        assert (step.name, step.attributes) == ("Voicemail", {"mailbox": "1001", "reason": ""})

    def test_another_is_unknown(self) -> None:
        document = read('<Response xmlns:v="urn:voicemail-pro:2"><v:Voicemail/><Hangup v:a="1"/></Response>')
        assert [step.name for step in document.steps] == ["Hangup"]
        assert [notice.code for notice in document.notices] == [12200, 12200]

    def test_what_editors_write_is_passed_over(self) -> None:
        written = (
            '<Response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xml:lang="en"'
            ' xsi:noNamespaceSchemaLocation="http://example.com/twiml.xsd"><Say xml:lang="en">x</Say></Response>'
        )
        assert only(written).text == "x"
