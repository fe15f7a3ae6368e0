"""The few requests that the lab itself sends to an API server."""

import http.client
import json
import ssl
import threading
from urllib.parse import urlencode

PATCHES = {"merge": "application/merge-patch+json"}


class ApiError(Exception):
    """An answer that is no success: status, reason, and the server's own words."""

    def __init__(self, status, answer):
        self.status, self.answer = status, answer if isinstance(answer, dict) else {}
        self.reason = self.answer.get("reason", "")
        super().__init__(f"{status} {self.answer.get('message') or answer}")


class Api:
    def __init__(self, port, authority, token):
        self.port, self.token = port, token
        self.context = ssl.create_default_context(cafile=str(authority))
        self.local = threading.local()

    def call(self, method, path, body=None, content="application/json"):
        """The answer's JSON; ApiError, or OSError when nobody answers."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content}
        data = json.dumps(body).encode() if body is not None else None
        status, text = self._send(method, path, data, headers)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = text.decode(errors="replace")
        if status >= 400:
            raise ApiError(status, answer)
        return answer

    def _send(self, method, path, data, headers):
        for last in (False, True):
            door = getattr(self.local, "door", None)
            try:
                if door is None:
                    door = self.local.door = http.client.HTTPSConnection(
                        "127.0.0.1", self.port, context=self.context, timeout=15)
                door.request(method, path, data, headers)
                answer = door.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                # A kept connection may have been closed meanwhile: once more on a fresh one.
                self.local.door = None
                if last or not isinstance(error, (http.client.HTTPException, ConnectionError)):
                    raise OSError(f"{method} {path}: {error}") from error
        return None

    def get(self, path, **query):
        return self.call("GET", f"{path}?{urlencode(query)}" if query else path)

    def find(self, path):
        """The object, or None when there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def post(self, path, body):
        return self.call("POST", path, body)

    def patch(self, path, body, kind="merge"):
        return self.call("PATCH", path, body, PATCHES[kind])

    def delete(self, path, **options):
        """True when it was there."""
        try:
            self.call("DELETE", path, options or None)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True
