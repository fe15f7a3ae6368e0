"""Whose a connection is."""

import socket
import subprocess
import sys

from lab import processes

CLIENT = """
import socket, sys
end = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print(end.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_another_process_has_a_connection_with_the_same_port():
    with socket.create_server(("127.0.0.1", 0)) as asked, \
            socket.create_server(("127.0.0.2", 0)) as other:
        server = asked.getsockname()[1]
        with subprocess.Popen([sys.executable, "-c", CLIENT, str(server)], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as caller:
            port = int(caller.stdout.readline())
            with socket.create_connection(other.getsockname(),
                                          source_address=("127.0.0.2", port)):
                assert processes.owner_of(port, server) == caller.pid
            caller.stdin.close()
