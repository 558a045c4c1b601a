"""Makes the tables that are missing."""

import sqlite3

with sqlite3.connect("/data/todo.db") as database:
    database.execute("CREATE TABLE IF NOT EXISTS todo (id INTEGER PRIMARY KEY, thing TEXT NOT NULL)")
