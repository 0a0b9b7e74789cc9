"""Page or fragment: the same address serves a whole page, or to HTMX the part that changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from flask import Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.web.words import fingerprint


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


def renewed(page: str, fragment: str, parts: Sequence[str], context: dict[str, Any]) -> Response:
    """A page that asks for itself now and then: whole, or to HTMX its fragment, which is made of these parts.

    HTMX gets nothing where the `version` that it names is what the parts are now. All arguments but the context are
    names of templates, which see `version` as well.
    """
    version = fingerprint("".join(render_template(part, **context) for part in parts))
    if not wanted():
        return answer(render_template(page, version=version, **context))
    if request.args.get("version") == version:
        return unchanged()
    return answer(render_template(fragment, version=version, **context))
