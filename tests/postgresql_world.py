# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real PostgreSQL behind an Aurora cluster of a lab in this process."""
from __future__ import annotations

import json
import shutil

import psycopg
import pytest
from tests.integration.kube.worlds import soon
from tests.unit.lab import lab_worlds

from lab import postgresql

DATABASE, MASTER = "pingvas", "groundwork"


def programs(*more: str) -> None:
    """Skips the test where PostgreSQL, or something else, is not installed."""
    missing = [name for name in more if not shutil.which(name)]
    missing += [] if postgresql.programs() else ["postgresql"]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not found; as root: apt-get install "
                    f"{' '.join(missing)}")


def create(aws, name: str, **options) -> dict:
    """An Aurora cluster; `aws` makes clients."""
    if not aws("rds").describe_db_clusters()["DBClusters"]:
        names = lab_worlds.network(aws)
        aws("rds").create_db_subnet_group(
            DBSubnetGroupName="data", DBSubnetGroupDescription="data",
            SubnetIds=[names["subnet_a"], names["subnet_b"]])
    return aws("rds").create_db_cluster(
        DBClusterIdentifier=name, Engine="aurora-postgresql", DBSubnetGroupName="data",
        **{"MasterUsername": MASTER, "ManageMasterUserPassword": True, "DatabaseName": DATABASE,
           **options})["DBCluster"]


class Aurora:
    """A cluster, and connections to it; `aws` makes clients."""

    def __init__(self, aws, name: str = "shared"):
        self.aws, self.name = aws, name
        create(aws, name)
        soon(lambda: self.live()["Status"] != "creating", what="the end of the creation")

    def live(self) -> dict:
        found = self.aws("rds").describe_db_clusters(DBClusterIdentifier=self.name)
        return found["DBClusters"][0]

    def master(self) -> dict:
        """What the managed secret says."""
        arn = self.live()["MasterUserSecret"]["SecretArn"]
        secrets = self.aws("secretsmanager")
        return json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])

    def connect(self, user: str | None = None, password: str | None = None, **options):
        """A connection; by default the master's."""
        login = self.master() if user is None else {"username": user, "password": password}
        live = self.live()
        return psycopg.connect(**{
            "host": live["Endpoint"], "port": live["Port"], "user": login["username"],
            "password": login["password"], "dbname": DATABASE, "sslmode": "require",
            "autocommit": True, **options})

    def ask(self, text: str, *login, **options) -> list:
        """The rows of an answer, on a connection of its own."""
        with self.connect(*login, **options) as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []
