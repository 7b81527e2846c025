"""A small server of the Hub's documented listing protocol, which can be told to answer wrongly.

`GET /api/models?limit=..&sort=createdAt&direction=1[&cursor=..]` gives a page of records in the order of creation; the
header `Link: <..>; rel="next"` leads to the next. Nothing of the local Hub is in it.
"""

import base64
import gzip
import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

BEGINNING = datetime(2023, 1, 1, tzinfo=UTC)


def model(number):
    """The number-th repository to be created, one an hour."""
    created = (BEGINNING + timedelta(hours=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "_id": f"{number:024x}",
        "id": f"maker/model-{number}",
        "createdAt": created,
        "downloads": 10,
        "downloadsAllTime": 100,
        "likes": 0,
        "tags": [],
    }


class ListingServer:
    """Lists `models`; `answer` changes what is sent for the number-th request: (records, next cursor or None)."""

    def __init__(self, models, answer=lambda number, records, cursor: (records, cursor), *, opaque=False):
        self.models, self.answer, self.opaque = models, answer, opaque
        self.requests = []
        self.headers = {}
        self.status = 200

    def page(self, query):
        """The records of a page and where the next begins."""
        limit = int(query["limit"][0])
        start = self._start(query["cursor"][0]) if "cursor" in query else 0
        records = self.models[start : start + limit]
        more = start + limit < len(self.models)
        self.requests.append(query)
        return self.answer(len(self.requests), records, self._cursor(records[-1]) if more else None)

    def _cursor(self, last):
        if self.opaque:
            return f"after-{self.models.index(last)}"
        condition = {
            "$or": [
                {"createdAt": last["createdAt"], "_id": {"$gt": last["_id"]}},
                {"createdAt": {"$gt": last["createdAt"]}},
                {"createdAt": None},
            ]
        }
        return base64.b64encode(json.dumps(condition).encode()).decode()

    def _start(self, cursor):
        if self.opaque:
            return int(cursor.removeprefix("after-")) + 1
        after = json.loads(base64.b64decode(cursor))["$or"][0]
        place = (after["createdAt"], after["_id"]["$gt"])
        return sum((one["createdAt"], one["_id"]) <= place for one in self.models)


@contextmanager
def serving(listing, body=None):
    """The server's address while it runs; `body` is sent in the place of every page, as it is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            query = parse_qs(urlsplit(self.path).query)
            if not self.path.startswith("/api/models?"):
                self.send_error(404)
                return
            try:
                records, cursor = listing.page(query)
            except ValueError:
                self.send_error(400)
                return
            self.send_response(listing.status)
            if cursor is not None:
                more = urlencode({"limit": query["limit"][0], "sort": "createdAt", "direction": 1, "cursor": cursor})
                self.send_header("Link", f'<http://{self.headers["Host"]}/api/models?{more}>; rel="next"')
            sent = body or gzip.compress(json.dumps(records).encode())
            headers = {"Content-Encoding": "gzip", "Content-Length": str(len(sent))} | listing.headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
