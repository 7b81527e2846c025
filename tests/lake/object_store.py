"""An S3 server on loopback with a bucket of its own, and what can go wrong with one."""

import logging
import threading
import time
import uuid
from contextlib import contextmanager

import botocore.session
import moto.settings
import s3fs
from moto.core.authorization import ActionAuthenticatorMixin
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

UNAVAILABLE = (
    b"<?xml version='1.0'?><Error><Code>ServiceUnavailable</Code><Message>Please reduce your rate.</Message></Error>"
)


class ObjectStoreServer:
    """An S3 server; `requests` has the method and path of what was asked since it was last emptied."""

    def __init__(self):
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.bucket = ""
        self.requests = []
        self._fault = lambda number, environ: None
        self.answer = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self, threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def new_bucket(self, monkeypatch):
        """The server with a new bucket, empty, and nothing asked yet; the environment leads to it."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        self.bucket = f"census-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=self.bucket)
        self.requests.clear()
        return self

    @property
    def url(self):
        return f"s3://{self.bucket}/lake"

    def client(self):
        """A client without any of our code."""
        return botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
        )

    def keys(self):
        return sorted(found["Key"] for found in self.client().list_objects_v2(Bucket=self.bucket).get("Contents", []))

    def unfinished_uploads(self):
        return self.client().list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])

    def __call__(self, environ, start_response):
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        fault = self._fault(len(self.requests), environ)
        return (fault or self.answer)(environ, start_response)

    @contextmanager
    def failing(self, fault):
        """For a time, requests meet what `fault(number, environ)` gives: None, or another way to answer."""
        self.requests.clear()
        self._fault = fault
        try:
            yield
        finally:
            self._fault = lambda number, environ: None

    @contextmanager
    def knowing_nobody(self):
        """For a time, the server checks the keys of requests, and knows none."""
        ActionAuthenticatorMixin.request_count = 0
        moto.settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        try:
            yield
        finally:
            moto.settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")

    def slowly(self, environ, start_response):
        """Answers after a while."""
        time.sleep(0.3)
        return self.answer(environ, start_response)

    def cut(self, environ, start_response):
        """Ends the connection in the middle of the answer."""
        body = b"".join(self.answer(environ, start_response))

        def half():
            yield body[: len(body) // 2]
            raise ConnectionAbortedError

        return half()


def unavailable(environ, start_response):
    """The answer of a store that can take no more."""
    start_response("503 Service Unavailable", [("Content-Type", "application/xml")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [UNAVAILABLE]
