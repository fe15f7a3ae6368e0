# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tenants of the role postgres_tenancy in a real PostgreSQL."""
from __future__ import annotations

import psycopg
import pytest
from tests.integration.postgres_tenancy.worlds import KEY, PASSWORDS, TENANTS

pytestmark = pytest.mark.postgresql
DENIED = psycopg.errors.InsufficientPrivilege
DEV, PROD = "dev_acme", "prod_acme"
MADE = {f"{kind}/{name}" for kind in ("role", "schema", "password") for name in (DEV, PROD)}


def test_from_nothing_to_two_tenants(empty):
    """Check mode writes nothing, and announces what a run does; a second one changes nothing. No
    secret is in what is shown, however much that is, nor in the log of the server."""
    state = ("select rolname from pg_roles union all select nspname from pg_namespace "
             "union all select datacl::text from pg_database order by 1")
    before = empty.ask(None, state)
    plan = empty.play("--check", "-vvvvv")
    assert (plan.failed, plan.changed) == (False, 1), plan.text
    assert set(plan.said) == MADE | {"database/pingvas"}
    assert empty.ask(None, state) == before
    made = empty.play("-vvvvv")
    assert (made.failed, made.changed) == (False, 2), made.text
    assert made.said == plan.said
    again = empty.play("-vvvvv")
    assert (again.failed, again.changed, again.said) == (False, 0, {}), again.text
    shown = plan.text + made.text + again.text + empty.log()
    for secret in (*PASSWORDS.values(), empty.aurora.master()["password"], KEY["secret_key"]):
        assert secret not in shown


def test_a_tenant_is_at_home_in_its_schema(world):
    for name in (DEV, PROD):
        assert world.ask(name, "select current_schema, current_setting('search_path')") == [
            (name, f"{name}, public")]
        world.ask(name, "create table things (id int primary key, owner text)")
        world.ask(name, f"insert into {name}.things values (1, 'a'), (2, 'b')")
        world.ask(name, "create function one() returns int language sql as 'select 1'")
        assert world.ask(name, "select count(*), one() from things") == [(2, 1)]


@pytest.mark.parametrize("text", [
    "select * from prod_acme.things", "select prod_acme.one()",
    "create table prod_acme.mine (id int)", "create table public.mine (id int)",
    "drop schema prod_acme cascade", "set role prod_acme", "create schema mine",
    "create role mine", "create database mine", "alter role prod_acme password 'x'",
])
def test_dev_is_kept_out_of_prod(world, text):
    with pytest.raises(DENIED):
        world.ask(DEV, text)


def test_others_are_let_into_nothing(world):
    world.ask(None, "create role visitor login password 'visitor'")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        world.aurora.ask("select 1", "visitor", "visitor")


def test_rows_are_the_tenants_alone_even_where_others_are_let_in(world):
    """Before the tables are found, a grant by mistake shows all rows; then none."""
    world.ask(PROD, "grant usage on schema prod_acme to dev_acme; grant all on things to dev_acme")
    assert world.ask(DEV, "select count(*) from prod_acme.things") == [(2,)]
    assert world.plan() == {"table/dev_acme.things": "update", "table/prod_acme.things": "update",
                            "schema/prod_acme": "update"}
    world.converge()
    with pytest.raises(DENIED):
        world.ask(DEV, "select * from prod_acme.things")
    world.ask(PROD, "grant usage on schema prod_acme to dev_acme")
    assert world.ask(DEV, "select count(*) from prod_acme.things") == [(0,)]
    assert world.ask(DEV, "update prod_acme.things set id = 3 returning id") == []
    with pytest.raises(DENIED, match="row-level security"):
        world.ask(DEV, "insert into prod_acme.things values (9)")
    assert world.ask(PROD, "select count(*) from things") == [(2,)]
    world.converge()


def test_a_schema_can_go_without_row_level_security(world):
    world.ask(DEV, "create table logs (id int)")
    assert world.plan() == {"table/dev_acme.logs": "update"}
    assert world.plan([{**TENANTS[0], "row_level_security": False}, TENANTS[1]]) == {}
    world.ask(DEV, "drop table logs")


def test_some_rows_of_a_table(world):
    """Which a transaction names; the owner of the table too sees no others."""
    policies = [{"table": "things", "column": "owner", "setting": "app.owner"},
                {"table": "to_come", "column": "owner", "setting": "app.owner"}]
    tenants = [TENANTS[0], {**TENANTS[1], "row_policies": policies}]
    for column, value, found in (("owner", "b", [(2,)]), ("id", "1", [(1,)])):
        policies[0]["column"] = column
        world.converge(tenants)
        assert world.ask(PROD, "select * from things") == []
        with world.aurora.connect(PROD, PASSWORDS[PROD], autocommit=False) as connection:
            connection.execute(f"set local app.owner = '{value}'")
            assert connection.execute("select id from things").fetchall() == found
            connection.commit()
            assert connection.execute("select id from things").fetchall() == []
    world.converge()
    assert world.ask(PROD, "select count(*) from things") == [(2,)]


@pytest.mark.parametrize(("text", "key"), [
    (f"alter role {DEV} in database pingvas set search_path to {PROD}", f"role/{DEV}"),
    (f"grant {PROD} to {DEV}", f"role/{DEV}"),
    (f"grant pg_monitor to {DEV}", None),
    (f"alter role {DEV} createdb", f"role/{DEV}"),
    (f"alter default privileges for role {DEV} grant execute on functions to public",
     f"role/{DEV}"),
    (f"grant create on schema {PROD} to public", f"schema/{PROD}"),
    (f"alter schema {PROD} owner to {DEV}", f"schema/{PROD}"),
    ("grant create on schema public to public", "schema/public"),
    ("grant connect on database pingvas to public", "database/pingvas"),
    (f"revoke connect on database pingvas from {DEV}", "database/pingvas"),
    (f"alter table {PROD}.things no force row level security", f"table/{PROD}.things"),
    (f"drop policy groundwork_tenant on {PROD}.things", f"table/{PROD}.things"),
    (f"revoke {PROD} from current_user", f"role/{PROD}"),
])
def test_drift_is_found_and_repaired(world, text, key):
    """What belongs to nobody's separation is left alone."""
    world.ask(None, text)
    assert world.plan() == ({key: "update"} if key else {})
    world.converge()


def test_a_schema_and_a_search_path_of_other_names(world):
    third = {"name": "third", "schema": "Third Floor", "search_path": ["Third Floor", DEV]}
    world.converge([*TENANTS, third])
    world.ask(None, "alter role third password 'third'")
    assert world.aurora.ask("select current_schemas(false)", "third", "third") == [
        (["Third Floor"],)]  # that of another is named in vain


def test_what_is_left_over_stays_until_it_is_named(world):
    """Roles and schemas of somebody else are never left over."""
    world.ask(None, "create schema somebodys")
    world.aurora.ask('create table kept as select 1 as id', "third", "third")
    left = {"role/third": "left over", "schema/Third Floor": "left over"}
    assert world.plan() == left
    done = world.play()
    assert (done.failed, done.changed, done.said) == (False, 0, left)
    assert world.ask(None, 'select id from "Third Floor".kept') == [(1,)]
    assert world.plan(data_loss=["postgres_tenancy/role/third"]) == {**left, "role/third": "delete"}
    done = world.play(stack_allow_data_loss=["postgres_tenancy/schema/Third Floor"])
    assert (done.failed, done.changed) == (False, 1), done.text
    world.converge(data_loss=["postgres_tenancy/role/third"])
    assert world.plan() == {}
    assert world.ask(None, "select count(*) from pg_namespace where nspname = 'somebodys'") == [
        (1,)]


def test_a_role_goes_and_its_data_stay(world):
    fourth = {"name": "fourth"}
    world.converge([*TENANTS, fourth])
    world.ask(None, "set role fourth; create table fourth.kept as select 1 as id")
    world.converge(data_loss=["postgres_tenancy/role/fourth"])
    assert world.plan() == {"schema/fourth": "left over"}
    assert world.ask(None, "select id from fourth.kept") == [(1,)]
    world.converge(data_loss=["postgres_tenancy/schema/fourth"])


def test_a_removed_role_leaves_the_data(world):
    """As with stack_roles_removed."""
    done = world.play(stack_applyset={"state": "absent"})
    assert (done.failed, done.changed, set(done.said.values())) == (False, 0, {"left over"})
    assert world.ask(PROD, "select count(*) from things") == [(2,)]


def test_what_is_somebody_elses_is_refused(world):
    """All of it at once, and nothing is done; until it is adopted."""
    world.ask(None, "create role same; create schema same")
    tenants = [*TENANTS, {"name": "same", "secret": "acme/prod_acme"}]
    done = world.play(postgres_tenancy_tenants=tenants)
    assert done.failed and world.ask(None, "select 1 from pg_roles where rolname = 'same' and "
                                           "rolcanlogin") == []
    for kind in ("role", "schema"):
        assert f"postgres_tenancy/{kind}/same: it is there, and not of this stack" in " ".join(
            done.text.split())
    mine = [f"postgres_tenancy/{kind}/same" for kind in ("role", "schema")]
    world.converge(tenants, adopt=mine)
    world.converge(data_loss=mine)


def test_a_changed_password(world):
    """It is seen by trying it, for nobody may read those that the server has."""
    secrets = world.client("secretsmanager")
    secrets.put_secret_value(SecretId="acme/dev_acme", SecretString='{"password": "an0ther-4711"}')
    done = world.play("-vvvvv")
    assert (done.said, done.changed) == ({f"password/{DEV}": "update"}, 1)
    assert "an0ther-4711" not in done.text + world.log()
    assert world.aurora.ask("select 1", DEV, "an0ther-4711") == [(1,)]


@pytest.mark.parametrize(("given", "why"), [
    ({"postgres_tenancy_login_host": "127.0.0.1", "postgres_tenancy_login_port": "1"},
     "PostgreSQL at 127.0.0.1:1: unable to connect to database"),
    ({"postgres_tenancy_login_secret": "acme/nothing"}, "Failed to find secret acme/nothing"),
])
def test_what_cannot_be_reached_is_said(world, given, why):
    done = world.play("--check", **given)
    assert done.failed
    assert why in " ".join(done.text.split()), done.text
    assert "Traceback" not in done.text


def test_a_database_that_is_still_to_come_is_planned(world):
    text = "(after apply: aurora_cluster/db_cluster/main)"
    names = ("endpoint", "reader_endpoint", "port", "master_user_secret_arn")
    done = world.play("--check", stack_result={"outputs": {
        "aurora_cluster/db_cluster/main": dict.fromkeys(names, text)}})
    assert (done.failed, done.changed) == (False, 1), done.text
    assert done.said == dict.fromkeys(
        [f"{kind}/{name}" for kind in ("role", "schema") for name in (DEV, PROD)], "create")
