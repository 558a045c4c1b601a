"""What the peers in FastAPI take and give: the same, so that they do the same work."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class NewNote(BaseModel):
    text: str = Field(min_length=1, max_length=2000)
    color: Literal["khaki", "lightblue", "lightgreen", "lightsalmon", "plum"] = "khaki"


class Note(NewNote):
    id: str
    board: str = "main"
    done: bool = False
    version: int = 1
    created_at: datetime
    updated_at: datetime
