"""The real server behind an Aurora cluster, where the setting `postgresql` asks for it."""

import json

from lab.errors import Refusal
from lab.postgresql import DatabaseError


def key_of(call, cluster):
    return call.account, call.region, cluster["DBClusterIdentifier"]


def begin(call, cluster):
    """Start the server while the cluster is creating; both endpoints are its address."""
    if not call.lab.settings.postgresql:
        return
    try:
        server = call.lab.databases.start(
            key_of(call, cluster), cluster["Port"], cluster.get("DatabaseName") or "postgres",
            (cluster["MasterUsername"], password_of(call, cluster)))
    except DatabaseError as error:
        raise Refusal("InvalidVPCNetworkStateFault", str(error)) from error
    cluster.update(Endpoint=server.address, ReaderEndpoint=server.address)


def password_of(call, cluster):
    """The master's: the caller's own, or the managed secret's."""
    managed = cluster.get("MasterUserSecret")
    if not managed:
        return call.params["MasterUserPassword"]
    secret = call.backend("secretsmanager").get_secret_value(managed["SecretArn"], None, None)
    return json.loads(secret["SecretString"])["password"]


def server_of(call, cluster):
    """The Server behind it, or None."""
    return call.lab.databases.get(key_of(call, cluster))


def settled(call, cluster):
    """Has the start come to its end, good or bad?"""
    server = server_of(call, cluster)
    return server is None or server.started.is_set()


def failed(call, cluster):
    server = server_of(call, cluster)
    return server is not None and server.error


def end(call, cluster):
    call.lab.databases.stop(key_of(call, cluster))
