# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures: the helm program, and a chart in a repository on the loopback."""
from __future__ import annotations

import functools
import http.server
import json
import subprocess
import threading

import pytest
from tests.kube_world import KubeWorld, plane

from lab.kube.build import built

SCHEMA = {"type": "object", "properties": {"replicas": {"type": "integer", "maximum": 5},
                                           "cpu": {"type": "string"}}}
TEMPLATE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-settings}
data: {replicas: {{ .Values.replicas | quote }}, chart: {{ .Chart.Version | quote }}}
---
{{- if .Values.extra }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-extra}
---
{{- end }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-keys}
stringData: {password: {{ .Values.password | quote }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 0
      tolerations: [{operator: Exists}]
      containers: [{name: web, image: "example.com/web:1",
                    resources: {requests: {cpu: {{ .Values.cpu | quote }}}}}]
"""


@pytest.fixture(name="world")
def cluster():
    """A namespace of a control plane, and the module that is run on it."""
    world = KubeWorld()
    yield world
    world.clear()


@pytest.fixture(name="helm", scope="module")
def program():
    plane()
    found = built("helm")
    if found is None:
        pytest.skip("helm is not built; build it with: python -m lab.kube helm")
    return str(found["helm"])


@pytest.fixture(name="charts", scope="module")
def packages(helm, tmp_path_factory):
    """A folder with the versions 1.0.0 and 1.1.0 of a chart, and their index."""
    folder = tmp_path_factory.mktemp("charts")
    chart = folder / "web"
    (chart / "templates").mkdir(parents=True)
    (chart / "templates" / "all.yaml").write_text(TEMPLATE)
    (chart / "values.yaml").write_text("{replicas: 1, password: none, cpu: 100m, extra: false}")
    (chart / "values.schema.json").write_text(json.dumps(SCHEMA))
    for version in ("1.0.0", "1.1.0"):
        (chart / "Chart.yaml").write_text(
            json.dumps({"apiVersion": "v2", "name": "web", "version": version}))
        subprocess.run([helm, "package", chart, "-d", folder], check=True, capture_output=True)
    subprocess.run([helm, "repo", "index", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(name="repo", scope="module")
def repository(charts):
    """A repository on the loopback."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(charts))
    handler.log_message = lambda *_args: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
