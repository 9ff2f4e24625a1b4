"""What a page did besides being looked at."""

from dataclasses import dataclass, field

from playwright.sync_api import Page


@dataclass
class Seen:
    """The addresses that a page asked, and what it complained of."""

    urls: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text))
