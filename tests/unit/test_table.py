"""Every setting is one line in one place, and everything that lists settings lists the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

import corkboard.settings
from local import table
from local.settings import ROOT, Docker, Stack, expected

CLASSES = {*table.APPS, *table.PLACES, Stack, Docker}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def names(text: str, pattern: str) -> list[str]:
    return re.findall(pattern, text, re.MULTILINE)


def test_the_committed_files_are_what_the_code_says() -> None:
    assert table.ENV_EXAMPLE.read_text() == table.env_example(), "run `make settings`"
    assert table.REFERENCE.read_text() == table.reference(), "run `make settings`"


def test_every_setting_stands_once_in_each_file() -> None:
    documented = sorted(table.documented())
    assert sorted(names(table.env_example(), r"^#([A-Z][A-Z0-9_]*)=")) == documented
    assert sorted(names(table.reference(), r"^\| `([A-Z][A-Z0-9_]*)`")) == documented


def test_every_field_of_every_class_is_a_setting_with_a_description() -> None:
    fields = {name.upper() for each in CLASSES for name in each.model_fields}
    assert fields | set(corkboard.settings.NAMES) == table.documented()


def test_the_stack_and_the_kit_have_the_same_defaults_and_bounds() -> None:
    for name, number in corkboard.settings.NUMBERS.items():
        field = Stack.model_fields[name.removeprefix("CORKBOARD_").lower()]
        assert field.default == number.default
        assert expected(field) == f"a whole number from {number.least} to {number.most}"


def test_a_setting_that_two_classes_share_has_one_type_one_default_and_one_description() -> None:
    found: dict[str, Any] = {}
    described = set()
    for each in CLASSES:
        for name in each.__annotations__:
            field = each.model_fields.get(name)
            if field is None:
                continue
            rule = (field.annotation, field.default, expected(field))
            assert found.setdefault(name, rule) == rule, name
            if field.description:
                assert name not in described, name
                described.add(name)


@pytest.mark.parametrize(("service", "app"), list(zip(("wsgi", "asgi"), table.APPS, strict=True)))
def test_compose_passes_on_every_setting_of_the_service(service: str, app: type) -> None:
    own = {name.upper() for name in app.__annotations__ if name in app.model_fields}  # type: ignore[attr-defined]
    # The key comes in a file, so that it is in the environment of no server.
    assert own - {"SECRET_KEY"} <= set(COMPOSE[service]["environment"])
    assert {"SECRET_KEY", "SECRET_KEY_FILE"} <= set(COMPOSE["secrets"]["environment"])


def test_compose_reads_no_setting_that_is_not_in_the_table() -> None:
    for file in ROOT.glob("docker-compose*.yml"):
        assert set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)", file.read_text())) <= table.documented()


def test_compose_and_the_code_agree_on_defaults() -> None:
    defaults = {setting.name: setting.default for group in table.groups().values() for setting in group}
    for file in ROOT.glob("docker-compose*.yml"):
        for name, default in re.findall(r"\$\{([A-Z][A-Z0-9_]*):-([^$}]*)\}", file.read_text()):
            if defaults[name]:
                assert default == defaults[name], f"{name} in {file.name}"
