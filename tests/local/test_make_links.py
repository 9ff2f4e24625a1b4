"""`make links`: which links are found, and what a link that does not work looks like."""

import pytest

from local import links
from tests.support.http_server import Response, serve


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "See https://docs.aws.amazon.com/lambda/latest/dg/a.html.",
            "https://docs.aws.amazon.com/lambda/latest/dg/a.html",
        ),
        ("[page](https://github.com/a/b#readme), text", "https://github.com/a/b"),
        ("`https://www.zegocloud.com/docs/x`", "https://www.zegocloud.com/docs/x"),
        ("https://issuer.example/", None),
        ("https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/call-reject", None),
        ("https://{api}.execute-api.{region}.amazonaws.com", None),
        ("https://zim-api-fra.zego.im", None),
    ],
)
def test_links_to_pages_are_found(text: str, found: str | None) -> None:
    assert links.links_in(text) == ({found} if found else set())


def test_a_link_works_if_its_status_is_a_success() -> None:
    with serve(lambda request: Response(200 if request.path == "/page" else 404)) as server:
        assert links.failure(f"{server.url}/page") is None
        assert links.failure(f"{server.url}/other") == "status 404"
    assert links.failure(server.url) == "ConnectionError"
