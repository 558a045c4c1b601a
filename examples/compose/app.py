"""A to-do list in SQLite. Every page that is open shows what is on it now."""

import sqlite3

from flask import Flask, redirect, render_template_string, request
from werkzeug.wrappers import Response

from corkboard import listen, publish

app = Flask(__name__)

PAGE = """
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>To do</title>{{ realtime }}</head>
<body>
<form method="post"><input name="thing" aria-label="Thing" autofocus required> <button>Add</button></form>
<ul data-live="todo">{% for (thing,) in things %}<li>{{ thing }}</li>{% endfor %}</ul>
</body>
</html>
"""


@app.get("/")
def page() -> str:
    realtime = listen("todo")  # before the query: no change falls between the two
    with sqlite3.connect("/data/todo.db") as database:
        things = database.execute("SELECT thing FROM todo ORDER BY id DESC").fetchall()
    return render_template_string(PAGE, things=things, realtime=realtime)


@app.post("/")
def add() -> Response:
    thing = request.form["thing"]
    with sqlite3.connect("/data/todo.db") as database:  # commits at the end of the block
        database.execute("INSERT INTO todo (thing) VALUES (?)", [thing])
    publish("todo", "todo.added", {"thing": thing})
    return redirect("/")
