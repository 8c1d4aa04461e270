"""The texts of the notes as HTML: what is code and what is a link is shown as such, and all else as it is."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

from markupsafe import Markup


def text(content):
    """A text between two tags, where quotation marks need no escape: code is full of them."""
    return Markup(html.escape(content, quote=False))


def inline(content):
    """A text with its code and its links as such; whatever else is in it is shown as it is."""
    parts = []
    for part in re.split(r"(`+[^`]+`+|https://[^\s<>\"'`]+)", content):
        if part.startswith("`"):
            parts.append(Markup("<code>{}</code>").format(text(part.strip("`"))))
        elif part.startswith("https://"):
            address = part.rstrip(".,;:!?)")
            parts.append(Markup('<a href="{0}">{0}</a>{1}').format(address, part[len(address) :]))
        else:
            parts.append(text(part))
    return Markup("").join(parts)


def blocks(text):
    """Paragraphs, lists and indented code of a docstring."""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.splitlines()
        if not block.strip():
            continue
        if all(line.startswith("    ") for line in lines):
            yield "code", [line[4:] for line in lines]
        elif re.match(r"[-*] ", lines[0]):
            yield "list", [" ".join(item.split()) for item in re.split(r"^[-*] ", block, flags=re.MULTILINE)[1:]]
        else:
            yield "text", [" ".join(block.split())]


def is_link(text):
    return text.startswith("https://")


def page_name(link):
    """What a link is called: the page, and where it is."""
    try:
        parts = urlsplit(link)
    except ValueError:  # half an address in brackets
        return link, ""
    last = parts.path.rstrip("/").rpartition("/")[2].removesuffix(".html")
    return last or parts.netloc, parts.netloc


def capital(text):
    """The text with its first letter as that of a sentence, and the rest as it is."""
    return text[:1].upper() + text[1:]
