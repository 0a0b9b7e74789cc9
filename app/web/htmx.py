"""Page or fragment: the same address serves a whole page, or to HTMX the part that changes."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse


def wanted() -> bool:
    """Whether HTMX asks for a fragment."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def current_path() -> str | None:
    """Path and query of the page that the fragment is for; None where the browser does not tell."""
    try:
        here = urlsplit(request.headers.get("HX-Current-URL", ""))
    except ValueError:
        return None
    return f"{here.path}?{here.query}" if here.query else here.path or None


def answer(body: str, status: int = 200) -> Response:
    """A page or fragment; caches must keep the two apart."""
    response = make_response(body, status)
    response.headers["Vary"] = "HX-Request"
    return response


def in_place_of_page(response: Response) -> Response:
    """Let the answer to a form stand where the whole page was, not only the form."""
    if wanted():
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#content", "innerHTML show:window:top"
    return response


def go(url: str) -> AnyResponse:
    """On to another page, after an act is done."""
    if not wanted():
        return redirect(url, 303)
    response = Response(status=204)
    response.headers["HX-Redirect"] = url
    return response


def unchanged() -> Response:
    """The answer to a poll: the page shows what is so already."""
    return Response(status=204)
