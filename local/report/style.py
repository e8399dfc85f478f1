"""The report's style: one sheet inside the page, admitted by its digest. It prints, and it reads on a phone."""

import base64
from hashlib import sha256

SHEET = """
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --quiet: #57606a; --paper: #ffffff; --rule: #d0d7de; --tint: #f4f6f8;
  --stands: #57606a; --adds: #0550ae; --takes: #a04000; --link: #0550ae;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6edf3; --quiet: #9da7b3; --paper: #0d1117; --rule: #30363d; --tint: #161b22;
    --stands: #9da7b3; --adds: #6cb6ff; --takes: #f0a35e; --link: #6cb6ff;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body {
  margin: 0 auto; padding: 1rem; max-width: 70rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
}
a { color: var(--link); }
a:focus-visible, summary:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { position: static; }
h1 { font-size: 1.6rem; margin: 0.5rem 0; }
h2 {
  font-size: 1.3rem; margin: 2.5rem 0 0.5rem; padding-top: 0.5rem;
  border-top: 2px solid var(--rule); overflow-wrap: anywhere;
}
h3 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
h4 { font-size: 1rem; margin: 1.25rem 0 0.25rem; }
p, li { max-width: 45rem; }
.quiet { color: var(--quiet); }
nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; }
nav a { display: inline-block; padding: 0.25rem 0; }
.wide { overflow-x: auto; margin: 0.5rem 0; }
table { border-collapse: collapse; width: 100%; font-size: 0.95rem; }
caption { text-align: left; font-weight: 600; padding: 0.25rem 0; }
th, td { padding: 0.3rem 0.5rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
thead th { border-bottom: 2px solid var(--rule); }
tbody th { font-weight: 400; min-width: 5.5rem; }
.figure { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.drawn { width: 40%; min-width: 7rem; }
.total th, .total td { font-weight: 600; }
.bar { display: block; width: 100%; height: 1.1rem; margin-top: 0.2rem; }
.bar .stands { fill: var(--stands); } .bar .adds { fill: var(--adds); } .bar .takes { fill: var(--takes); }
.bar .zero { stroke: var(--rule); stroke-width: 2; vector-effect: non-scaling-stroke; }
details { margin: 0.25rem 0; border-left: 3px solid var(--rule); padding-left: 0.75rem; }
summary { cursor: pointer; padding: 0.3rem 0; }
pre, code { font: 0.85rem/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { overflow-x: auto; background: var(--tint); padding: 0.75rem; margin: 0.25rem 0 0.75rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; margin: 0.5rem 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 36rem) {
  body { padding: 0.75rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 0.5rem; }
  th, td { padding: 0.3rem 0.25rem; }
}
@media print {
  :root {
    --ink: #000; --quiet: #444; --paper: #fff; --rule: #999; --tint: #fff;
    --stands: #555; --adds: #0550ae; --takes: #a04000;
  }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  nav, .skip { display: none; }
  h2 { break-before: page; }
  h2:first-of-type { break-before: auto; }
  h3, h4, caption { break-after: avoid; }
  tr, pre { break-inside: avoid; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  .bar { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""

POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    f"style-src 'sha256-{base64.b64encode(sha256(SHEET.encode()).digest()).decode()}'"
)
"""What the page may do: use this sheet, and nothing else. No script, no address, no form."""
