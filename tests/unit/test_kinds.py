"""Tests that share a stack run in one process."""

from __future__ import annotations

import pytest

from tests.harness.kinds import kind_of


@pytest.mark.parametrize(
    ("nodeid", "kind"),
    [
        ("tests/compose/test_hardening.py::test_x[wsgi]", "compose"),
        ("tests/stack/test_api_notes.py::test_x[compose]", "compose"),
        ("tests/stack/test_api_notes.py::test_x[compose-a b]", "compose"),
        ("tests/stack/test_api_notes.py::test_x[/-compose]", "compose"),
        ("tests/stack/test_api_notes.py::test_x[local-a b]", "stack_api"),
        ("tests/stack/test_jitter.py::test_x", "stack_jitter"),
        ("tests/browser/test_wall.py::test_x", "browser_wall"),
        ("tests/hostile/test_control_frames.py::test_x", "hostile"),
        ("tests/unit/test_topic.py::test_x[a]", "tests/unit/test_topic.py::test_x[a]"),
    ],
)
def test_tests_that_share_a_stack_are_of_one_kind(nodeid: str, kind: str) -> None:
    assert kind_of(nodeid) == kind
