"""The colours of all pictures: what they are on white paper, and what they are called on the page.

Okabe and Ito chose blue, orange, green and pink so that people with any kind of colour vision can tell them apart; a
marker, a pattern or a name goes with each all the same.
"""

PAPER = "#ffffff"
INK = "#1b1b1b"
GREY = "#595959"
LINE = "#c4c4c4"
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREEN = "#009e73"
PINK = "#cc79a7"
PALE_ORANGE = "#fbe9df"
PALE_BLUE = "#e6edf5"
DEEP_BLUE = "#aebfd2"

WORDS = {ORANGE: "#a34700", GREEN: "#00694c", PINK: "#96437a"}
"""The same for words, which are thin: dark enough to be read on white (WCAG AA asks for a contrast of 4.5)."""

ON_THE_PAGE = {
    PAPER: "card",
    INK: "ink",
    GREY: "muted",
    LINE: "line",
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    PINK: "pink",
    WORDS[ORANGE]: "orange-word",
    WORDS[GREEN]: "green-word",
    WORDS[PINK]: "pink-word",
    PALE_ORANGE: "tint-orange",
    PALE_BLUE: "tint-blue",
    DEEP_BLUE: "shade-blue",
}
"""The custom property of torchnotes/page/style.css for each colour, which is another in the dark."""


def of_words(colour):
    return WORDS.get(colour, colour)
