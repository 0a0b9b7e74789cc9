"""People of the portal: log in, roles, passwords."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import User
from app.models.base import utc_now
from app.models.user import ADMIN, STAFF
from app.services import audit, fields, pins

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
TAKEN = "A user of this name exists already."
LAST_ADMIN = "This is the last administrator; make another one first."


def authenticate(name: str, password: str) -> User | None:
    """The user, where name and password are right and the user may log in.

    The work is the same for a name that nobody has, so that answers do not tell names.
    """
    name = name.strip()
    user = db.session.scalar(select(User).where(User.name == name)) if fields.is_user_name(name) else None
    hashed = user.password_hash if user else pins.decoy()
    user_id, active = (user.id, user.active) if user else ("", False)
    # No transaction is open while the hash is computed.
    db.session.rollback()
    if not pins.verify(hashed, password) or not active:
        return None
    renewed = pins.hash_secret(password) if pins.is_outdated(hashed) else None
    with writing():
        changes: dict[str, object] = {"last_login_at": utc_now()}
        if renewed:
            changes["password_hash"] = renewed
        db.session.execute(update(User).where(User.id == user_id, User.password_hash == hashed).values(**changes))
    return db.session.get(User, user_id)


def listing() -> list[User]:
    """All users, by name."""
    return list(db.session.scalars(select(User).order_by(User.name)))


def get(user_id: str) -> User:
    """A user; NotFound."""
    user = db.session.get(User, user_id) if fields.is_id(user_id) else None
    if user is None:
        raise NotFound("There is no such user.")
    return user


def create(name: str, password: str, role: str = STAFF, *, actor: str) -> User:
    """A new user; Invalid."""
    with fields.checked() as form:
        name = form.check("name", fields.user_name, name) or ""
        form.check("role", _role, role)
        form.say("password", password_problem(password, name))
        if name and db.session.scalar(select(User.id).where(User.name == name)):
            form.say("name", TAKEN)
    user = User(name=name, password_hash=pins.hash_secret(password), role=role)
    try:
        with writing():
            db.session.add(user)
            db.session.flush()
            audit.record(actor, "user.create", user.id, f"{name} ({role})")
    except IntegrityError:
        raise Invalid({"name": TAKEN}) from None
    return user


def set_role(user_id: str, role: str, *, actor: str) -> User:
    """Make a user admin or staff; Invalid for the last admin, NotFound."""
    with fields.checked() as form:
        form.check("role", _role, role)
    with writing():
        user = get(user_id)
        if role != ADMIN:
            _another_admin(user, "role")
        user.role = role
        audit.record(actor, "user.role", user.id, f"{user.name} ({role})")
    return user


def set_active(user_id: str, active: bool, *, actor: str) -> User:
    """Let a user in or keep the user out, which ends all sessions; Invalid for the last admin, NotFound."""
    with writing():
        user = get(user_id)
        if not active:
            _another_admin(user, "active")
        if user.active != active:
            user.active = active
            user.session_version += 1
            audit.record(actor, "user.activate" if active else "user.deactivate", user.id, user.name)
    return user


def set_password(user_id: str, password: str, *, actor: str) -> User:
    """Give a user another password, which ends all sessions; Invalid, NotFound."""
    if problem := password_problem(password, get(user_id).name):
        raise Invalid({"password": problem})
    db.session.rollback()
    hashed = pins.hash_secret(password)
    with writing():
        user = get(user_id)
        user.password_hash = hashed
        user.session_version += 1
        audit.record(actor, "user.password", user.id, user.name)
    return user


def change_own_password(user_id: str, current: str, password: str) -> User:
    """A user changes the own password; all other sessions end. Invalid, NotFound."""
    user = get(user_id)
    name, hashed = user.name, user.password_hash
    db.session.rollback()
    if not pins.verify(hashed, current):
        raise Invalid({"current": "This is not your present password."})
    if problem := password_problem(password, name):
        raise Invalid({"password": problem})
    return set_password(user_id, password, actor=name)


def remove(user_id: str, *, actor: str) -> None:
    """Remove a user; Invalid for the last admin, NotFound."""
    with writing():
        user = get(user_id)
        _another_admin(user, "name")
        audit.record(actor, "user.remove", user.id, user.name)
        db.session.delete(user)


def password_problem(password: str, name: str) -> str | None:
    """The rule that a password breaks, as a sentence, or None."""
    if len(password) < SHORTEST_PASSWORD:
        return f"A password has at least {SHORTEST_PASSWORD} characters."
    if len(password) > LONGEST_PASSWORD:
        return f"A password has at most {LONGEST_PASSWORD} characters."
    if name and password.lower() == name.lower():
        return "A password must not be the user name."
    if len(set(password)) == 1:
        return "The characters of a password must not all be the same."
    return None


def _another_admin(user: User, field: str) -> None:
    """Invalid where nobody could administer without this user; row locks keep two such acts from passing together."""
    if user.role != ADMIN or not user.active:
        return
    admins = db.session.scalars(select(User).where(User.role == ADMIN, User.active).order_by(User.id).with_for_update())
    if all(row.id == user.id for row in admins):
        raise Invalid({field: LAST_ADMIN})


def _role(value: str) -> str:
    if value not in (ADMIN, STAFF):
        raise fields.Problem("A role is admin or staff.")
    return value


def count() -> int:
    """How many users there are."""
    return db.session.scalar(select(func.count()).select_from(User)) or 0
