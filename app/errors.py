"""Errors that speak to the person who reads them; routes turn each into its status."""

from __future__ import annotations


class AppError(Exception):
    """Base: `message` is a sentence for people, `code` a word for programs, `status` the HTTP status."""

    status = 500
    code = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(AppError):
    """Unknown, or another's: the two are not told apart."""

    status, code = 404, "not_found"


class Gone(AppError):
    """It was here, and is not any more."""

    status, code = 410, "gone"


class Invalid(AppError):
    """Wrong input: `fields` maps each field's name to a sentence."""

    status, code = 422, "invalid"

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = fields


class Changed(Invalid):
    """It changed since its form was opened: nothing is done. version: of what it is now.

    The sentence is of no field.
    """

    code = "changed"

    def __init__(self, sentence: str, version: str) -> None:
        super().__init__({"": sentence})
        self.version = version


class Replaced(AppError):
    """What a page was about is gone, or something else has its place: nothing is done."""

    status, code = 409, "replaced"


class Forbidden(AppError):
    """Known, but without the right to do this."""

    status, code = 403, "forbidden"


class TooMany(AppError):
    """Too often: try again after `retry_after` seconds."""

    status, code = 429, "too_many"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(AppError):
    """Not here yet, or something is away: try again after `retry_after` seconds."""

    status, code = 503, "unavailable"

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after
