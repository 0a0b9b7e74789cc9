"""Audio as a response: whole or a part, in blocks, with what browsers need to seek in it."""

from __future__ import annotations

import re

import soundfile
from flask import Response, request

from app import formats
from app.errors import Unavailable
from app.storage import AudioSource
from app.web.ranges import Part, Unsatisfiable, still_the_same, wanted_part

WAV, MP3 = "audio/wav", "audio/mpeg"
_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9._+-]+")


def audio_response(source: AudioSource, filename: str, *, content_type: str = WAV, download: bool = False) -> Response:
    """Answer the present GET or HEAD: 200, 206, 304 or 416.

    Blocks are read as they are sent. filename: offered where download is true.
    """
    etag = source.sha256 or ""
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'{"attachment" if download else "inline"}; filename="{safe_name(filename)}"',
    }
    if etag:
        headers["ETag"] = f'"{etag}"'
    if etag and etag in request.if_none_match:
        return Response(status=304, headers=headers)
    try:
        part = _part(source.size, etag)
    except Unsatisfiable:
        return Response(status=416, headers={**headers, "Content-Range": f"bytes */{source.size}"})
    start, end = (part.start, part.end) if part else (0, source.size)
    headers["Content-Length"] = str(end - start)
    if part:
        headers["Content-Range"] = part.content_range
    body = source.blocks(start, end) if request.method == "GET" else iter(())
    return Response(body, 206 if part else 200, headers, content_type=content_type, direct_passthrough=True)


def as_mp3(source: AudioSource) -> AudioSource:
    """The same as MP3; Unavailable for what cannot be turned into one."""
    try:
        return formats.as_mp3(source)
    except soundfile.LibsndfileError:
        raise Unavailable("The recording cannot be turned into an MP3; ask for the WAV.", 60) from None


def safe_name(name: str) -> str:
    """A file name that every system takes."""
    return _NOT_IN_FILE_NAMES.sub("-", name).strip("-.")[:120] or "recording"


def _part(size: int, etag: str) -> Part | None:
    # Range has a meaning for GET only (RFC 9110 section 14.2).
    if request.method != "GET" or not still_the_same(request.headers.get("If-Range"), etag):
        return None
    return wanted_part(request.headers.get("Range"), size)
