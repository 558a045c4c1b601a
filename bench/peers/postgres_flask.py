"""Sticky notes of a Flask app in PostgreSQL with SQLAlchemy: a row and a durable commit for each.

`DATABASE_URL` is a PostgreSQL with its own settings, so that a commit is answered after it is on the disk.
Run as: gunicorn --workers 2 --threads 8 'bench.peers.postgres_flask:app'
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from secrets import token_hex

from flask import Flask, abort, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"], pool_size=8)
app = Flask(__name__)


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    board: Mapped[str] = mapped_column(default="main")
    text: Mapped[str]
    color: Mapped[str] = mapped_column(default="khaki")
    done: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    def shown(self) -> dict[str, object]:
        return {
            "id": self.id, "board": self.board, "text": self.text, "color": self.color, "done": self.done,
            "version": self.version, "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }  # fmt: skip


@app.get("/api/notes")
def list_notes() -> ResponseReturnValue:
    with Session(engine) as session:
        found = session.scalars(select(Note).order_by(Note.number.desc()).limit(50))
        return jsonify([note.shown() for note in found])


@app.post("/api/notes")
def create_note() -> ResponseReturnValue:
    text = request.get_json().get("text", "")
    if not 1 <= len(text) <= 2000:
        abort(422)
    now = datetime.now(UTC)
    color = request.get_json().get("color", "khaki")
    with Session(engine, expire_on_commit=False) as session:
        note = Note(id=token_hex(8), text=text, color=color, created_at=now, updated_at=now)
        session.add(note)
        session.commit()
        return note.shown(), 201


if __name__ == "__main__":
    Base.metadata.create_all(engine)
