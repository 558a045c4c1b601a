"""`python -m corkboard COMMAND`: the kit from a shell."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from corkboard import NotConfigured, StoreUnavailable, doctor, publish, revoke
from corkboard.outbox import relay


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code: 0 when it worked, 1 when it failed, 2 when it was called wrongly."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "publish":
            print(publish(given.topic, given.type, given.data, key=given.key))
        elif given.command == "relay":
            return relay.main(given)
        elif given.command == "revoke":
            revoke(given.subject)
        else:
            for line in doctor.examine(given.site):
                print(f"ok    {line}", flush=True)
    except doctor.Trouble as trouble:
        print(f"FAIL  {trouble}")
        return 1
    except (NotConfigured, StoreUnavailable, ValueError) as error:
        print(f"corkboard: {error}", file=sys.stderr)
        return 1
    return 0


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m corkboard", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("publish", help="send an event, and print its id")
    one.add_argument("topic")
    one.add_argument("type", help="what happened, such as order.shipped")
    one.add_argument("data", nargs="?", type=_json, metavar="JSON", help="what it carries; null when absent")
    one.add_argument("--key", help="a repeat with the same key within a day sends nothing")
    one = commands.add_parser("revoke", help="take back every ticket of a subject")
    one.add_argument("subject")
    one = commands.add_parser("doctor", help="say what is missing, in plain words")
    one.add_argument("--site", default="", metavar="URL", help="check what browsers see there, too")
    relay.arguments(commands.add_parser("relay", help="send what waits in an outbox"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
