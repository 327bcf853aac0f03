"""The page at the end of an unsubscribe link, as HTML that works without scripts."""

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template

from email_consumer.suppression.languages import Texts, languages
from email_consumer.suppression.unsubscribe import LinkTarget

_PAGE = Template("""<!doctype html>
<html lang="$language"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title | $sender</title><style>$style</style></head>
<body><header>$sender</header><main>$content</main></body></html>
""")
_CHOICE = Template("""<section><h2>$choice</h2><p>$effect</p><form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click"><input type="hidden" name="choice" value="$name">
<button>$button</button></form></section>""")

_DARK_TEXT, _LIGHT_TEXT = "#000000", "#ffffff"


@dataclass(frozen=True, slots=True)
class Sender:
    """How the operator appears on the page."""

    name: str
    color: str = "0b57d0"
    """Six hexadecimal digits."""


class UnsubscribePage:
    """Renders the page in one of the languages. Everything that comes from outside is escaped."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender.name
        css = files("email_consumer.suppression").joinpath("unsubscribe_page.css").read_text()
        color = f"#{sender.color}"
        self._style = css.replace("{color}", color).replace("{text_color}", text_color(color))
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self.policy = f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'"
        """The Content-Security-Policy under which a browser shows it."""

    def ask(self, language: str, target: LinkTarget) -> str:
        """What can be unsubscribed from, with a button for each choice."""
        texts = self._texts(language, target)
        names = ["group", "all"] if target.group is not None else ["all"]
        choices = [
            _CHOICE.substitute({part: texts[f"{name}_{part}"] for part in ("choice", "effect", "button")}, name=name)
            for name in names
        ]
        return self._page(language, texts["title"], texts["question"], *choices)

    def done(self, language: str, target: LinkTarget, *, everything: bool) -> str:
        """What was unsubscribed from; after a group, with a link back to the choices.

        A link and no button: the second half of a double click would hit it.
        """
        texts = self._texts(language, target)
        if everything:
            return self._page(language, texts["done"], texts["all_done"])
        return self._page(language, texts["done"], texts["group_done"], f'<p><a href="">{texts["all_button"]}</a></p>')

    def unknown(self, language: str) -> str:
        """For links that are forged, cut off, or signed with a forgotten secret."""
        texts = self._texts(language, LinkTarget(""))
        return self._page(language, texts["unknown"], texts["unknown_advice"])

    def _page(self, language: str, heading: str, text: str, *further: str) -> str:
        content = f"<h1>{heading}</h1><p>{text}</p>{''.join(further)}"
        sender = escape(self._sender)
        return _PAGE.substitute(language=language, title=heading, sender=sender, style=self._style, content=content)

    def _texts(self, language: str, target: LinkTarget) -> Texts:
        values = {"sender": self._sender, "address": target.address, "group": target.group or ""}
        marked = {name: f"<bdi>{escape(value)}</bdi>" for name, value in values.items()}
        return {name: escape(text).format(**marked) for name, text in languages()[language].items()}


def text_color(background: str) -> str:
    """Black or white, whichever is easier to read on a colour; the contrast is at least 4.5 (WCAG 2.2, 1.4.3)."""
    red, green, blue = (_linear(int(background[place : place + 2], 16) / 255) for place in (1, 3, 5))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return _DARK_TEXT if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else _LIGHT_TEXT


def _linear(channel: float) -> float:
    """A channel of sRGB, gamma removed (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - of the standard
