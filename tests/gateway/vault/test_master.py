"""Master keys come from settings or a command; what is wrong with them is said, and never the key."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest

from gateway.config import Config
from gateway.errors import ConfigError, InvalidRequest
from gateway.vault import Place, Vault
from gateway.vault.master import new_master_key

PLACE = Place("credential", "", "openai", "crd_1")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("not base64!", "must be 32 bytes in base64"),
        (base64.b64encode(b"too-short").decode(), "is 9 bytes"),
        (base64.b64encode(bytes(33)).decode(), "is 33 bytes"),
    ],
)
def test_a_key_that_is_none_is_refused_without_being_shown(key: str, said: str):
    with pytest.raises(ConfigError) as refused:
        Vault([key])
    (problem,) = refused.value.problems
    assert said in problem
    assert "gateway vault init" in problem
    assert key not in problem


def test_without_a_key_nothing_is_sealed():
    with pytest.raises(InvalidRequest, match="gateway vault init") as refused:
        Vault().seal("secret", PLACE)
    assert refused.value.status == 409


async def test_a_command_prints_the_keys():
    new, old = new_master_key(), new_master_key()
    sealed, _ = Vault([old]).seal("secret", PLACE)
    vault = Vault(command=[sys.executable, "-c", f"print('{new}\\n{old}')"])
    assert vault.configured
    await vault.startup()
    assert len(vault.key_ids) == 2
    assert vault.open(sealed, PLACE) == "secret"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/nowhere/to/be/found"], "cannot be run"),
        ([sys.executable, "-c", "raise SystemExit('no access')"], "ended with status 1: no access"),
        ([sys.executable, "-c", "pass"], "printed nothing"),
        ([sys.executable, "-c", "print('nonsense')"], "must be 32 bytes in base64"),
    ],
)
async def test_a_command_that_fails_is_named(command: list[str], said: str):
    with pytest.raises(ConfigError, match=r"gateway\.vault\.master_key_command") as refused:
        await Vault(command=command).startup()
    assert said in refused.value.problems[0]
    assert "nonsense" not in refused.value.problems[0]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"previous_keys": ["x"]}, "name the key that seals"),
        ({"master_key": "x", "master_key_command": ["y"]}, "prints all keys"),
        ({"master_key": {"file": "nowhere.key"}}, "cannot be read"),
    ],
)
def test_settings_that_do_not_go_together(table: dict[str, object], said: str):
    with pytest.raises(ConfigError, match=said):
        Config.from_dict({"gateway": {"vault": table}})


def test_a_key_in_a_file_is_read(tmp_path: Path):
    key = new_master_key()
    (tmp_path / "master.key").write_text(key + "\n")
    (tmp_path / "plugins.toml").write_text('[gateway.vault]\nmaster_key = { file = "master.key" }\n')
    assert Config.from_file(tmp_path / "plugins.toml").settings.vault.keys() == (key,)
