"""The lab without sockets: a hook where botocore would send a request."""

import io

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

from lab.errors import Drop


class Raw(io.BytesIO):
    """The part of urllib3's response that botocore reads streams from."""

    def stream(self, *args, **kwargs):
        yield self.read()


def attach(lab, session):
    """Register the hook on a boto3 or botocore session (every client made from it later)."""
    events = session.events

    def send(request, **kwargs):
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
        headers = {key: value.decode() if isinstance(value, bytes) else value
                   for key, value in request.headers.items()}
        try:
            answer = lab.handle(request.method, request.url, headers, body)
        except Drop as error:
            raise ConnectionClosedError(endpoint_url=request.url) from error
        content = b"" if request.method == "HEAD" else answer.body
        return AWSResponse(request.url, answer.status, answer.headers, Raw(content))

    events.register("before-send", send, unique_id="groundwork-lab")
    return session
