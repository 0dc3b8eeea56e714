"""The page's style. Its digest stands in the policy, so nothing else is ever applied."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark;--bg:#f4f6f9;--panel:#fff;--line:#e0e5ec;--text:#18212f;--muted:#5d6878;--accent:#2f6fed;
--good:#14804a;--bad:#c9302c;--warn:#a85b00;--raised:#f0f3f7}
@media (prefers-color-scheme:dark){:root{--bg:#0e1218;--panel:#161c25;--line:#2a3442;--text:#e4e9f1;--muted:#95a1b3;
--accent:#6c9dff;--good:#4cc38a;--bad:#ff7a72;--warn:#f0a53c;--raised:#1e2632}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:24px 20px 60px;background:var(--bg);color:var(--text);
font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
header h1{font-size:22px;margin:0;overflow-wrap:anywhere}
header p{margin:2px 0;color:var(--muted)}
section{background:var(--panel);border:1px solid var(--line);border-radius:10px;margin-top:18px;padding:14px 16px}
h2{font-size:15px;margin:0 0 10px}
h2 span{font-weight:400;color:var(--muted);font-size:13px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin-top:18px}
.card{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:10px 14px}
.card b{display:block;font-size:21px;font-variant-numeric:tabular-nums}
.card span{color:var(--muted)}
.card.bad b,.bad{color:var(--bad)}
.good{color:var(--good)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600;color:var(--muted);border-bottom:1px solid var(--line);padding:4px 10px 4px 0;white-space:nowrap}
td{padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
.long{display:inline-block;overflow-wrap:anywhere;min-width:150px}
tr:last-child td{border-bottom:0}
th.right,td.right{text-align:right;white-space:nowrap}
code{font:12.5px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
figure{margin:0}
figcaption,.note{color:var(--muted);font-size:13px;margin:6px 0 0}
.chart{width:100%;height:110px;display:block}
.bar{fill:var(--accent)}.bar.bad{fill:var(--bad)}
.axis{stroke:var(--line)}
.map{max-width:100%;height:auto;display:block;margin:6px auto}
.node rect{fill:var(--raised);stroke:var(--line);stroke-width:1.2}
.node.bad rect{stroke:var(--bad)}
.node .name{fill:var(--text);font-size:13px;font-weight:600}
.node .detail{fill:var(--muted);font-size:11.5px}
.edge{fill:none;stroke:var(--accent);opacity:.65}
.edge.bad{stroke:var(--bad)}
.edge:hover{opacity:1}
.edge-label{fill:var(--muted);font-size:11px;paint-order:stroke;stroke:var(--panel);stroke-width:4px}
.edge-label.bad{fill:var(--bad)}
.arrow{fill:var(--muted)}
footer{color:var(--muted);font-size:13px;margin-top:20px}
@media print{body{max-width:none;background:#fff}section,.card{break-inside:avoid}}
"""
