"""Blocks of a self-contained HTML page. All text is escaped here, once."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from ..plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENLARGED = 1.32  # print sizes on a screen: 8 points become comfortable to read
LARGEST_SVG = 400_000  # characters; beyond it a bitmap at twice the resolution is lighter
SCREEN_FONTS = "Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif"

CSS = """
:root{--ink:#222;--soft:#5d6670;--line:#e2e5e9;--tint:#f5f7f9;--blue:#0072B2}
*{box-sizing:border-box}
html{scroll-behavior:smooth}
body{margin:0;color:var(--ink);background:#fff;font:16px/1.55 system-ui,-apple-system,"Segoe UI",Arial,sans-serif}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 28px}
header{padding-top:36px}
h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:22px;margin:52px 0 12px;padding-top:14px;border-top:2px solid var(--ink)}
h3{font-size:17px;margin:30px 0 8px}
p{margin:8px 0;max-width:75ch}
.soft,.note{color:var(--soft)}
.note{font-size:14px;max-width:85ch}
nav{display:flex;flex-wrap:wrap;gap:4px 20px;margin:18px 0 0;padding:9px 0;
 border-top:1px solid var(--line);border-bottom:1px solid var(--line);font-size:14.5px}
nav a{white-space:nowrap}
a{color:var(--blue);text-decoration:none}
a:hover{text-decoration:underline}
.answer{list-style:none;margin:16px 0;padding:0}
.answer li{margin:0 0 10px;padding:11px 16px;background:var(--tint);border-left:4px solid var(--blue);max-width:none;
 overflow-wrap:anywhere}
.answer .line{display:block;margin:5px 0 0 14px;text-indent:-14px}
.answer .line:before{content:"–";display:inline-block;width:14px;text-indent:0}
.answer .aside{display:block;margin:7px 0 0;font-size:13.5px;color:var(--soft)}
.scroll{overflow-x:auto;margin:12px 0}
.tall{max-height:620px;overflow:auto;border:1px solid var(--line)}
table{border-collapse:collapse;font-size:13.5px;line-height:1.4;font-variant-numeric:tabular-nums}
table.wide{width:100%;font-size:13px}
table.wide th,table.wide td{padding:4px 8px 4px 4px}
table.wide td:last-child{min-width:110px}
th,td{padding:4px 12px 4px 6px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{border-bottom:1.5px solid var(--ink);background:#fff;font-weight:600;white-space:nowrap}
.tall thead th{position:sticky;top:0}
tr.part th{background:var(--tint);font-weight:600}
td.n,th.n{text-align:right;white-space:nowrap}
code{font:12.5px ui-monospace,Menlo,Consolas,monospace;word-break:break-all}
figure{margin:18px 0 26px}
figure svg,figure img{display:block;max-width:100%;height:auto}
figcaption{font-size:14px;color:var(--soft);max-width:85ch;margin-top:8px}
figcaption b{color:var(--ink)}
summary{cursor:pointer;color:var(--blue);margin:10px 0}
blockquote{margin:10px 0;padding:10px 16px;background:var(--tint);max-width:80ch}
footer{margin-top:56px;padding-bottom:40px;color:var(--soft);font-size:13.5px}
@media print{
 body{font-size:10.5pt}
 main,header,footer{max-width:none;padding:0}
 nav,summary{display:none}
 details::details-content{content-visibility:visible;height:auto}
 h2{break-after:avoid;margin-top:28px}h3{break-after:avoid}
 figure,tr,.answer li{break-inside:avoid}
 .tall{max-height:none;overflow:visible;border:0}.tall thead th{position:static}
 .scroll{overflow:visible}
 table{font-size:8pt}th,td{padding:2px 5px}
 a{color:inherit}
}
"""


def page(title: str, body: str, *, head: str, contents: Sequence[tuple[str, str]], foot: str) -> str:
    """The whole page; ``contents`` are (anchor, words)."""
    links = "".join(f'<a href="#{anchor}">{escape(words)}</a>' for anchor, words in contents)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n<style>{CSS}</style>\n</head>\n<body>\n'
        f'<header>\n<h1>{escape(title)}</h1>\n{head}\n<nav aria-label="Contents">{links}</nav>\n</header>\n'
        f"<main>\n{body}\n</main>\n<footer>{foot}</footer>\n</body>\n</html>\n"
    )


def section(anchor: str, title: str, *blocks: str) -> str:
    """A section with its heading; empty when it holds nothing."""
    inner = "\n".join(block for block in blocks if block)
    return f'<section id="{anchor}">\n<h2>{escape(title)}</h2>\n{inner}\n</section>' if inner else ""


def said(text: object) -> str:
    """Text for the page: escaped, lines kept, a number never parted from its percent sign.

    >>> said("p < 5 %")
    'p &lt; 5\xa0%'
    """
    return escape(str(text)).replace(" %", "\u00a0%").replace("\n", "<br>")


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    look = f' class="{kind}"' if kind else ""
    return f"<p{look}>{said(text)}</p>" if text else ""


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Iterable[int] = (),
    caption: str = "",
    tall: bool = False,
    wide: bool = False,
) -> str:
    """A table of plain text; a row of one cell is a heading across the table.

    >>> table(["a"], [["x < y"]])
    '<div class="scroll"><table><thead><tr><th scope="col">a</th></tr></thead><tbody><tr><td>x &lt; y</td></tr>...
    """
    right = set(numbers)

    def row_of(cells: Sequence[object]) -> str:
        if len(cells) == 1 and len(head) > 1:
            return f'<tr class="part"><th scope="rowgroup" colspan="{len(head)}">{escape(str(cells[0]))}</th></tr>'
        return "<tr>" + "".join(_cell(cell, i in right) for i, cell in enumerate(cells)) + "</tr>"

    top = "".join(
        f'<th scope="col" class="n">{said(word)}</th>' if i in right else f'<th scope="col">{said(word)}</th>'
        for i, word in enumerate(head)
    )
    body = "".join(row_of(row) for row in rows)
    above = f'<p class="note">{said(caption)}</p>' if caption else ""
    look = (' class="wide"' if wide else "") + (f' aria-label="{escape(caption)}"' if caption else "")
    return (
        f'{above}<div class="scroll{" tall" if tall else ""}"><table{look}><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(value: object, right: bool) -> str:
    return f'<td class="n">{said(value)}</td>' if right else f"<td>{said(value)}</td>"


def figure_block(figure: Figure, title: str, caption: str, *, number: int) -> str:
    """A figure with its caption, as SVG, or as a bitmap where the SVG would be heavy."""
    alt = f"{title}. {caption}" if caption else title
    words = f"<b>Figure {number}. {said(title)}.</b> {said(caption)}".rstrip()
    svg = as_svg(figure, alt, prefix=f"f{number}-")
    drawn = svg if len(svg) <= LARGEST_SVG else as_bitmap(figure, alt)
    return f"<figure>{drawn}<figcaption>{words}</figcaption></figure>"


def _pixels(figure: Figure) -> int:
    return round(figure.get_figwidth() * 96 * ENLARGED)


def as_svg(figure: Figure, alt: str, *, prefix: str) -> str:
    """The figure as an element of the page: its text stays text, its names do not clash with other figures."""
    import matplotlib

    held = io.StringIO()
    with style(), matplotlib.rc_context({"svg.hashsalt": prefix}):
        figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None})
    svg = held.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", svg)
    svg = re.sub(r"font-family: [^;\"]+", f"font-family: {SCREEN_FONTS}", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    opening = f'<svg role="img" aria-label="{escape(alt)}" style="width:{_pixels(figure)}px"'
    return svg.replace("<svg", opening, 1)


def as_bitmap(figure: Figure, alt: str) -> str:
    """The figure as a bitmap within the page, at twice the resolution of a plain screen."""
    held = io.BytesIO()
    with style():
        figure.savefig(held, format="webp", dpi=192, pil_kwargs={"quality": 84})  # a third of the size of a PNG
    data = base64.b64encode(held.getvalue()).decode("ascii")
    return f'<img alt="{escape(alt)}" style="width:{_pixels(figure)}px" src="data:image/webp;base64,{data}">'
