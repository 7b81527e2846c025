"""No secret of a setting is in a message, an event or a file, however an error came to hold it."""

import os

import dagster as dg
import pytest

from pipeline.cli import answer
from pipeline.orchestration.home import prepare_home
from pipeline.orchestration.table_assets import in_plain_words
from pipeline.secrets import ADDRESSES, SECRETS, hidden

SECRET = "hunter2pass"
MALFORMED = (
    f"postgresql://census:{SECRET}@db:notaport/census",
    f"postgresql//census:{SECRET}@db/census",
    f"postgresql://census:hun/{SECRET}@db/census",
    f"postgresql://census:{SECRET}%ZZ@db/census",
    f"host=db user=census password={SECRET} port=none",
    f"://:{SECRET}@",
)


@pytest.mark.parametrize("name", SECRETS)
def test_a_setting_that_is_secret_as_a_whole_is_named_instead(name, monkeypatch):
    monkeypatch.setenv(name, SECRET)
    assert hidden(f"it was {SECRET}, twice {SECRET}") == f"it was <{name}>, twice <{name}>"


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_password_in_an_address_is_hidden_and_an_address_without_one_is_not(name, monkeypatch):
    monkeypatch.setenv(name, f"https://someone:{SECRET}@host:5432/path")
    assert SECRET not in hidden(f"cannot reach https://someone:{SECRET}@host:5432/path, nor {SECRET}")
    monkeypatch.setenv(name, "https://host:5432/path")
    assert hidden("cannot reach https://host:5432/path") == "cannot reach https://host:5432/path"


def test_a_malformed_address_of_the_database_is_in_no_event_and_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("CENSUS_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", "")
    prepare_home()

    @dg.asset
    @in_plain_words
    def loads_postgres() -> None:
        from pipeline.publish.postgres import psycopg

        psycopg.connect(os.environ["CENSUS_POSTGRES_URL"], connect_timeout=1)

    @dg.asset
    @in_plain_words
    def meets_an_error_of_another_kind() -> None:
        raise RuntimeError("the cause holds it") from OSError(os.environ["CENSUS_POSTGRES_URL"])

    assets = [loads_postgres, meets_an_error_of_another_kind]
    with dg.DagsterInstance.get() as instance:
        for address in MALFORMED:
            monkeypatch.setenv("CENSUS_POSTGRES_URL", address)
            ended = dg.materialize(assets, instance=instance, raise_on_error=False)
            assert not ended.success
            assert SECRET not in str(instance.all_logs(ended.run_id)), address
    assert [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []


def test_a_command_that_fails_prints_no_secret(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CENSUS_HOME", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", SECRET)

    def fail(*_):
        raise LookupError(f"unexpected, with {SECRET} in it")

    monkeypatch.setattr("pipeline.publish.folder.PublishedFolder.versions", fail)
    monkeypatch.setattr("sys.argv", ["census", "restore"])
    with pytest.raises(SystemExit) as ended:
        answer()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert SECRET not in said.out + said.err
    assert "unexpected, with <HF_TOKEN> in it" in said.err
