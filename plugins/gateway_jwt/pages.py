"""The two small pages between the gateway and an issuer. They hold no script, and nothing of what the issuer said."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

from starlette.responses import HTMLResponse, Response

_STYLE: Final = """
:root { color-scheme: light dark; --ground: #f7f7f5; --surface: #fff; --line: #e5e4df; --text: #1d1d1b;
  --muted: #62625c; --accent: #3a56d4; --on-accent: #fff; }
@media (prefers-color-scheme: dark) { :root { --ground: #121214; --surface: #1a1b1e; --line: #2c2d32;
  --text: #ececee; --muted: #a0a2ab; --accent: #9db0ff; --on-accent: #12141c; } }
body { display: grid; min-height: 100dvh; margin: 0; place-items: center; background: var(--ground);
  color: var(--text); font: 1rem/1.6 system-ui, sans-serif; }
main { box-sizing: border-box; width: min(26rem, 100vw - 2rem); padding: 2rem; border: 1px solid var(--line);
  border-radius: 14px; background: var(--surface); text-align: center; }
h1 { margin: 0; font-size: 1.4rem; line-height: 1.3; }
p { margin: 1rem 0 0; color: var(--muted); overflow-wrap: anywhere; }
a { display: block; padding: .65rem 1rem; border-radius: 9px; background: var(--accent); color: var(--on-accent);
  font-weight: 600; text-decoration: none; }
a:focus-visible { outline: 2px solid var(--text); outline-offset: 2px; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""For every answer of this plugin's: its URLs hold codes and states."""

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{head}<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
<p><a href="{link}">{label}</a></p>
</main>
</body>
</html>
"""


def leaving(url: str, title: str) -> Response:
    """Lead a browser that has sent a form to an issuer: browsers do not let a form's answer redirect to another site."""
    head = f'<meta http-equiv="refresh" content="0;url={escape(url)}">\n'
    text = f"You go to {title} now, sign in there, and come back here."
    return _page(200, head=head, title=f"Continue with {title}", text=text, link=url, label="Continue")


def failed(status: int, message: str, again: str) -> Response:
    """Say that a sign-in did not work, and where to try again."""
    return _page(status, head="", title="Sign-in did not work", text=message, link=again, label="Try again")


def _page(status: int, *, head: str, title: str, text: str, link: str, label: str) -> Response:
    page = _PAGE.format(
        head=head, title=escape(title), style=_STYLE, text=escape(text), link=escape(link), label=label
    )
    return HTMLResponse(page, status, headers=HEADERS)
