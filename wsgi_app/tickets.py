"""Tickets: what the app says a browser may listen to, in a form that the sidecar can check by itself."""

from __future__ import annotations

import secrets

from flask import Blueprint, Flask, Request, Response, current_app, jsonify, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import URLSafeTimedSerializer
from werkzeug.exceptions import Forbidden

import corkboard.settings
from corkboard.tickets import sign
from wsgi_app.settings import Settings

blueprint = Blueprint("tickets", __name__, url_prefix="/api")

COOKIE = "corkboard_ticket"
# Where the visitor's session is read. In your product: everywhere, or wherever somebody has to be logged in.
WITH_SESSION = ("/api/tickets",)


def topics_for(subject: str) -> list[str]:
    """WHO MAY LISTEN TO WHAT: the function to change when this becomes your product.

    `subject` is who asks; the answer is a list of globs of topics. Here everybody may listen to the
    public topics, and to one of their own.
    """
    settings: Settings = current_app.extensions["settings"]
    return [*settings.public_topics, f"user:{subject}"]


def current_subject() -> str:
    """Who asks. Here: a visitor, known by a session cookie. In your product: the user who is logged in."""
    if "subject" not in session:
        session["subject"] = secrets.token_hex(8)
        session.permanent = True
    return str(session["subject"])


@blueprint.post("/tickets")
def create_ticket() -> Response:
    """A ticket in the answer, for programs, and in a cookie that scripts cannot read, for browsers."""
    if _is_from_another_site():
        raise Forbidden("A page of another site cannot get a ticket here.")
    subject = current_subject()
    topics = topics_for(subject)
    ticket = sign(subject, topics)
    expires_at = ticket.expires.isoformat().replace("+00:00", "Z")
    response = jsonify(ticket=ticket.token, expires_at=expires_at, topics=topics)
    response.status_code = 201
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        COOKIE,
        ticket.token,
        max_age=corkboard.settings.load().ticket_seconds,
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
    )
    return response


def _is_from_another_site() -> bool:
    """A page of another site could send a form here, and the answer would replace the visitor's session.

    Every browser says where a POST comes from, in one header or the other. Programs send neither.
    """
    if fetched_by := request.headers.get("Sec-Fetch-Site"):
        return fetched_by not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    # Without the scheme: not every proxy that ends TLS says so.
    return origin is not None and origin.rpartition("://")[2] != request.host


class _Session(SecureCookieSessionInterface):
    _serializer: URLSafeTimedSerializer | None = None

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        # To read one costs a tenth of a request, and most requests have no use for it.
        if not request.path.startswith(WITH_SESSION):
            return self.session_class()
        return super().open_session(app, request)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        # Flask would make one for every request, also where nobody looks at the session.
        if self._serializer is None:
            self._serializer = super().get_signing_serializer(app)
        return self._serializer

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        # Flask looks at every setting of the cookie first, also where there is none to be set.
        if session or session.accessed or session.modified:
            super().save_session(app, session, response)

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        # Known from the request only: the same deployment runs with and without TLS before it.
        return request.is_secure


def init_app(app: Flask, settings: Settings) -> None:
    """Signs sessions with the first key and takes those that the others signed.

    None of them is the key of tickets: the sidecar has that one, and could make sessions with it.
    """
    key, *older = settings.keys()
    app.config.update(
        SECRET_KEY=key,
        SECRET_KEY_FALLBACKS=older,
        SESSION_COOKIE_NAME="corkboard_session",
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.session_interface = _Session()
    app.register_blueprint(blueprint)
