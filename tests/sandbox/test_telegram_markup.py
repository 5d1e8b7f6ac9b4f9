"""Telegram's HTML becomes the text and the entities of the real server, or its error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt.sandbox.telegram_markup import parse_html
from trt.sandbox.telegram_refusal import Refused


def test_tags_become_entities_counted_in_utf16_units() -> None:
    parsed = parse_html('😀<b>жир <i>и</i></b> <a href="https://x.y">там</a> &lt;&amp;&#33;')
    assert parsed.text == "😀жир и там <&!"
    assert [(one.type, one.offset, one.length) for one in parsed.entities] == [
        ("bold", 2, 5),
        ("italic", 6, 1),
        ("text_link", 8, 3),
    ]
    assert parsed.entities[2].url == "https://x.y"


def test_every_documented_tag_is_known() -> None:
    source = (
        "<strong>a</strong><em>a</em><u>a</u><ins>a</ins><s>a</s><strike>a</strike><del>a</del>"
        '<span class="tg-spoiler">a</span><tg-spoiler>a</tg-spoiler><code>a</code><pre>a</pre>'
        "<blockquote expandable>a</blockquote>"
        '<pre><code class="language-python">a</code></pre>'
    )
    assert parse_html(source).text == "a" * 13


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("<div>x</div>", 'Unsupported start tag "div" at byte offset 0'),
        ("<span>x</span>", 'Unsupported start tag "span" at byte offset 0'),
        ("я < 2", 'Unsupported start tag "" at byte offset 3'),
        ("<br/>", 'Unsupported start tag "br/" at byte offset 0'),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<b", 'Unclosed start tag "b" at byte offset 0'),
    ],
)
def test_broken_markup_is_refused_in_telegrams_words(source: str, why: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_html(source)
    assert caught.value.code == 400
    assert caught.value.description == f"Bad Request: can't parse entities: {why}"


@given(st.text(alphabet="<>/&ab;# ='\"я", max_size=30))
def test_any_text_is_parsed_or_refused(source: str) -> None:
    try:
        parsed = parse_html(source)
    except Refused:
        return
    length = len(parsed.text.encode("utf-16-le")) // 2
    assert all(one.offset + one.length <= length for one in parsed.entities)
