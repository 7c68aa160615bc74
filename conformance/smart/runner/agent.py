"""HTTP as a browser or an app speaks it: no redirect is followed unasked, no status is an exception."""

import http.cookiejar
import json
import time
import urllib.error
import urllib.parse
import urllib.request

from .checks import Failed

SECONDS = 30
# How often, and how long at a time, in seconds, the runner waits where it asks too often.
MOST_WAITS = 20
LONGEST_WAIT = 60


class _AsItIs(urllib.request.HTTPErrorProcessor):
    """Hands back every answer, whatever its status."""

    def http_response(self, request, response):
        return response

    https_response = http_response


class Answer:
    """A status, headers and a body that was read whole."""

    def __init__(self, request, url, status, headers, body):
        self.request, self.url, self.status, self.headers, self.body = request, url, status, headers, body

    def header(self, name):
        """The value of a header; several are joined by commas; "" without one."""
        return ", ".join(self.headers.get_all(name, []))

    @property
    def media_type(self):
        return self.headers.get_content_type()

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError as problem:
            raise Failed(f"{self.request}: {self.status}, and the body is not JSON: {self.excerpt()}") from problem

    def object(self):
        value = self.json()
        if not isinstance(value, dict):
            raise Failed(f"{self.request}: the body is not a JSON object: {self.excerpt()}")
        return value

    def excerpt(self):
        return " ".join(self.body[:400].decode("utf-8", "replace").split()) or "(empty body)"


class Agent:
    """Sends requests; with `cookies` it keeps them, as a browser does."""

    def __init__(self, cookies=False):
        # A runner talks to the server that it was given and to nobody else, hence to no proxy.
        handlers = [urllib.request.ProxyHandler({}), _AsItIs()]
        if cookies:
            self.jar = http.cookiejar.CookieJar()
            handlers.append(urllib.request.HTTPCookieProcessor(self.jar))
        self.opener = urllib.request.build_opener(*handlers)

    def ask(self, method, url, body=None, headers=None):
        """One request. A dict or a list of pairs as the body is sent as a form.

        Who is told to ask less often waits, as Retry-After says, and asks again.
        """
        for _ in range(MOST_WAITS):
            answer = self._ask(method, url, body, headers)
            seconds = answer.header("Retry-After")
            if answer.status != 429 or not seconds.isdigit() or int(seconds) > LONGEST_WAIT:
                break
            time.sleep(int(seconds))
        return answer

    def _ask(self, method, url, body, headers):
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = urllib.parse.urlencode(body)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        if isinstance(body, str):
            body = body.encode()
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        told = f"{method} {url.partition('?')[0]}"
        try:
            with self.opener.open(request, timeout=SECONDS) as response:
                return Answer(told, url, response.status, response.headers, response.read())
        except urllib.error.URLError as problem:
            raise Failed(f"{told}: no answer: {problem.reason}") from problem


def with_query(url, pairs):
    """`url` with `pairs` added to its query."""
    joint = "&" if "?" in url else "?"
    return url + joint + urllib.parse.urlencode(pairs)


def origin_of(url):
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
