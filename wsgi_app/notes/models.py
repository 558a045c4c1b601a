"""The API's data: what requests may contain, and what answers look like."""

from __future__ import annotations

import random
import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import TypedDict

Color = Literal["khaki", "lightblue", "lightgreen", "lightsalmon", "plum"]
COLORS: tuple[Color, ...] = ("khaki", "lightblue", "lightgreen", "lightsalmon", "plum")
LONGEST = 2000
LONGEST_NAME = 40
LONGEST_TITLE = 80
# Inside a character class: control characters, and those that are invisible or change the direction of text.
# U+200C and U+200D are allowed, because letters of some scripts, and emojis, need them.
_UNSEEN = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f"
    r"\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
)
_unseen = re.compile(f"[{_UNSEEN}]")
LONGEST_POSITION = 64
# Read as digits of a fraction, there is room for another one between any two of them.
POSITION = rf"[0-9A-Za-z]{{0,{LONGEST_POSITION - 1}}}[1-9A-Za-z]"
# The token of a page: the offset of a note's creation, or its position on the wall and its id.
PAGE = rf"([1-9][0-9]{{0,14}}|{POSITION}\.[0-9a-f]{{16}})"


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must hold no NUL character")
    return text


def _plain(text: Any) -> Any:
    # Before white space is stripped, because some of these count as white space.
    if isinstance(text, str) and _unseen.search(text):
        raise ValueError(
            "must hold no control characters, and none that cannot be seen or turn the text around them"
        )
    return text


def _visible(text: str) -> str:
    """The text without the white space around it; empty if nothing in it is visible."""
    text = text.strip()
    return text if any(unicodedata.category(letter)[0] not in "CZ" for letter in text) else ""


def _word(*allowed: str) -> BeforeValidator:
    """Query parameters are text; only these spellings count."""

    def check(value: Any) -> Any:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return BeforeValidator(check)


def _place(text: str) -> str:
    if not re.fullmatch(POSITION, text):
        raise ValueError(
            f"must be 1 to {LONGEST_POSITION} letters from a to z and A to Z and digits, the last one not 0"
        )
    return text


def _token(text: str) -> str:
    if not re.fullmatch(PAGE, text):
        raise ValueError("must be the `next` of the page before")
    return text


def _digits(value: Any) -> Any:
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 16):
        raise ValueError("must be a whole number")
    return value


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST),
    AfterValidator(_no_nul),
    # Two rules that JSON Schema can express only as a pattern: no NUL, and not white space alone.
    Field(examples=["Soup is ready"], json_schema_extra={"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"}),
]
Author = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME),
    BeforeValidator(_plain),
    Field(
        description="what its writer wants to be called: nobody checks who that is",
        examples=["Ada"],
        json_schema_extra={"pattern": rf"^[^{_UNSEEN}]*[^\s{_UNSEEN}][^{_UNSEEN}]*$"},
    ),
]
Query = Annotated[
    str,
    StringConstraints(max_length=200),
    AfterValidator(_no_nul),
    Field(json_schema_extra={"pattern": r"^[^\x00]*$"}),
]
Position = Annotated[
    str,
    AfterValidator(_place),
    Field(json_schema_extra={"pattern": f"^{POSITION}$"}, examples=["b4V"]),
]
Token = Annotated[str, AfterValidator(_token), Field(json_schema_extra={"pattern": f"^{PAGE}$"})]
Board = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
Title = Annotated[
    str,
    StringConstraints(max_length=LONGEST_TITLE),
    BeforeValidator(_plain),
    AfterValidator(_visible),
    Field(examples=["Küche & Bad"], json_schema_extra={"pattern": f"^[^{_UNSEEN}]*$"}),
]
Flag = Annotated[bool, _word("true", "false")]


def _random_color() -> Color:
    return random.choice(COLORS)


class Note(BaseModel):
    """A note as every answer and event shows it."""

    id: str
    board: Board
    text: str
    color: Color
    position: Position = Field(
        description="where it hangs on the wall: from the highest to the lowest, compared byte by byte"
    )
    done: bool
    author: Author | SkipJsonSchema[None] = None
    version: int = Field(ge=1, description="rises by one with each change; the note's ETag")
    created_at: datetime
    updated_at: datetime


class NewNote(BaseModel):
    """The body of `POST /api/notes`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Text
    color: Color = Field(default_factory=_random_color)
    board: Board = "main"
    # On top, when absent.
    position: Position = Field(default_factory=str)
    done: bool = False
    author: Author = Field(default_factory=str)


class NoteChanges(TypedDict, total=False):
    """The body of `PATCH /api/notes/ID`: at least one of these."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    text: Text
    color: Color
    position: Position
    done: bool


class BoardAbout(BaseModel):
    """A board without its notes."""

    slug: Board
    title: str = Field(description="what people call it, in any language; empty when it has no title")
    version: int = Field(ge=0, description="rises by one with each change of the title; the board's ETag")


class BoardChanges(BaseModel):
    """The body of `PATCH /api/boards/SLUG`. An empty title removes the title."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Title


class BoardQuery(BaseModel):
    """The query of `GET /api/notes/export`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    board: Board = "main"


class ListQuery(BoardQuery):
    """The query of `GET /api/notes`."""

    # Case-folded, so that queries with the same meaning are equal.
    q: Annotated[Query, AfterValidator(str.casefold)] | SkipJsonSchema[None] = Field(
        default=None, description="only notes whose text holds this, whatever the case"
    )
    done: Flag | SkipJsonSchema[None] = Field(
        default=None, description="only notes that are done, or are not"
    )
    order: Literal["newest", "position"] = Field(
        default="newest", description="newest: newest first. position: as they hang on the wall"
    )
    limit: Annotated[int, Field(ge=1, le=200), BeforeValidator(_digits)] = 50
    page: Token | SkipJsonSchema[None] = Field(default=None, description="the `next` of the page before")
    shared: Literal["1", "gzip"] | SkipJsonSchema[None] = Field(
        default=None,
        description="1: the list may be up to three seconds old; its cursor says how old. After `board`, and "
        "`order=position` or nothing, nginx answers everybody with the same one. gzip: compressed, whoever "
        "asks.",
    )


class NoteList(BaseModel):
    """A page of notes, in the order that was asked for."""

    notes: list[Note]
    next: str | None = Field(description="the `page` of the next request; null at the end")
    cursor: str = Field(description="the position that this list reflects: subscribe from here")
    board: BoardAbout


class Ticket(BaseModel):
    """What opens topics that are not public."""

    ticket: str
    expires_at: datetime
    topics: list[str] = Field(description="globs of the topics that it opens")


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    field: str
    detail: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldError] | SkipJsonSchema[None] = None
