"""Twilio's numbers of what goes wrong, as far as they happen here.

Each has a page in Twilio's dictionary: https://www.twilio.com/docs/api/errors/NUMBER. docs/twiml.md lists them.
"""

from __future__ import annotations

INVALID_URL = 11100
HTTP_FAILURE = 11200
HTTP_TIMEOUT = 11203
HTTP_CONNECTION = 11205
HTTP_PROTOCOL = 11206
BAD_HOST = 11210
TOO_MANY_REDIRECTS = 11215
INVALID_REDIRECT = 11216
HTTP_STATUS = 11217
TLS = 11220
TOO_LARGE = 11750
EMPTY_BODY = 11770
NOT_XML = 12100
NOT_RESPONSE = 12102
SCHEMA = 12200
CONTENT_TYPE = 12300
INTERNAL = 12400
GATHER_KEY = 13310
GATHER_METHOD = 13312
GATHER_TIMEOUT = 13313
GATHER_DIGITS = 13314
GATHER_NESTED = 13320
GATHER_INPUT = 13326
GATHER_EMPTY = 13338
PLAY_LOOP = 13410
PLAY_CONTENT_TYPE = 13420
PLAY_TONES = 13430
SAY_LOOP = 13510
SAY_VOICE = 13511
SAY_LANGUAGE = 13512
SAY_TEXT = 13520
SAY_LENGTH = 13521
RECORD_METHOD = 13610
RECORD_TIMEOUT = 13611
RECORD_LENGTH = 13612
RECORD_KEYS = 13613
RECORD_TRANSCRIBE = 13614
RECORD_BEEP = 13616
RECORD_EVENT = 13621
RECORD_TRIM = 13699
REDIRECT_METHOD = 13710
UNSUPPORTED_VERB = 13750
REJECT_REASON = 13810
PAUSE_LENGTH = 13910

ERRORS: dict[int, str] = {
    INVALID_URL: "The URL is none, or one that is never fetched.",
    HTTP_FAILURE: "The request failed, and nothing more is known of it.",
    HTTP_TIMEOUT: "The server did not answer in time (`programmable.timeout`).",
    HTTP_CONNECTION: "No connection to the server.",
    HTTP_PROTOCOL: "The server answered something that is no HTTP.",
    BAD_HOST: "The host name has no address, or one that is private and not allowed.",
    TOO_MANY_REDIRECTS: "Too many HTTP redirects, or documents that lead to each other without end.",
    INVALID_REDIRECT: "An HTTP redirect to something that is never fetched.",
    HTTP_STATUS: "The server answered with a status that is no 2xx.",
    TLS: "The TLS connection could not be made: the certificate is not valid, for one.",
    TOO_LARGE: "The answer is too large: a document has 64 kB and 1000 verbs at most.",
    EMPTY_BODY: "The answer is empty. A document that does nothing is `<Response/>`.",
    NOT_XML: "The answer is no XML that is taken: broken, with a document type or entities, too deep, in an unknown "
    "encoding.",
    NOT_RESPONSE: "The root of the document is not `<Response>`.",
    CONTENT_TYPE: "The content type is none that a document comes in: `text/xml`, `application/xml`, `text/html`.",
    INTERNAL: "Something failed on this side; the log tells what.",
    PLAY_CONTENT_TYPE: "What `<Play>` shall play is no sound that can be read.",
}
"""What ends a document or a sound; the next URL that is asked, the fallback, gets the number as ErrorCode."""

NOTICES: dict[int, str] = {
    SCHEMA: "A verb, an attribute, a nested element or a text that means nothing here, or a wrong value without a "
    "number of its own. A `<Voicemail>` whose mailbox is not there has it too, and ends the document.",
    GATHER_KEY: "`finishOnKey` of Gather.",
    GATHER_METHOD: "`method` of Gather.",
    GATHER_TIMEOUT: "`timeout` of Gather.",
    GATHER_DIGITS: "`numDigits` of Gather.",
    GATHER_NESTED: "A verb that cannot stand in Gather.",
    GATHER_INPUT: "`input` of Gather.",
    GATHER_EMPTY: "`actionOnEmptyResult` of Gather.",
    PLAY_LOOP: "`loop` of Play.",
    PLAY_TONES: "`digits` of Play.",
    SAY_LOOP: "`loop` of Say.",
    SAY_VOICE: "`voice` of Say.",
    SAY_LANGUAGE: "`language` of Say.",
    SAY_TEXT: "Nothing to say.",
    SAY_LENGTH: "More than 4096 characters to say; the rest is left out.",
    RECORD_METHOD: "`method` of Record.",
    RECORD_TIMEOUT: "`timeout` of Record.",
    RECORD_LENGTH: "`maxLength` of Record.",
    RECORD_KEYS: "`finishOnKey` of Record.",
    RECORD_TRANSCRIBE: "`transcribe` of Record.",
    RECORD_BEEP: "`playBeep` of Record.",
    RECORD_EVENT: "`recordingStatusCallbackEvent` of Record.",
    RECORD_TRIM: "`trim` of Record.",
    REDIRECT_METHOD: "`method` of Redirect.",
    UNSUPPORTED_VERB: "A verb of Twilio's that is not supported yet.",
    REJECT_REASON: "`reason` of Reject.",
    PAUSE_LENGTH: "`length` of Pause.",
}
"""What is noticed on the way: it stands in the trace, and ends the document only where `programmable.strict` is set."""
