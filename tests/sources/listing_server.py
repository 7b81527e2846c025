"""A small server of the Hub's documented listing protocol, which can be told to answer wrongly.

`GET /api/models?limit=..&sort=createdAt&direction=1[&cursor=..]` gives a page of records in the order of creation; the
header `Link: <..>; rel="next"` leads to the next. Nothing of the local Hub is in it.
"""

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode

from tests.mirror import Answer, answering, saying

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
        same_moment = {"createdAt": last["createdAt"], "_id": {"$gt": last["_id"]}}
        condition = {"$or": [same_moment, {"createdAt": {"$gt": last["createdAt"]}}, {"createdAt": None}]}
        return base64.b64encode(json.dumps(condition).encode()).decode()

    def _start(self, cursor):
        if self.opaque:
            return int(cursor.removeprefix("after-")) + 1
        after = json.loads(base64.b64decode(cursor))["$or"][0]
        place = (after["createdAt"], after["_id"]["$gt"])
        return sum((one["createdAt"], one["_id"]) <= place for one in self.models)


def serving(listing, body=None):
    """The server's address while it runs; `body` is sent in the place of every page, as it is."""

    def answer_to(request):
        if request.path != "/api/models":
            return saying(status=404)
        query = parse_qs(request.query)
        try:
            records, cursor = listing.page(query)
        except ValueError:
            return saying(status=400)
        sent = body or gzip.compress(json.dumps(records).encode())
        headers = {"Content-Encoding": "gzip", "Content-Length": str(len(sent))} | listing.headers
        if cursor is not None:
            more = urlencode({"limit": query["limit"][0], "sort": "createdAt", "direction": 1, "cursor": cursor})
            headers["Link"] = f'<http://{request.headers["Host"]}/api/models?{more}>; rel="next"'
        return Answer(listing.status, tuple(headers.items()), sent)

    return answering(answer_to)
