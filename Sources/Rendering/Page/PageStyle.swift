// How the page for a browser looks, on a screen and on paper.

enum PageStyle {
  static let css: StaticString = """
    :root { color-scheme: light; --line: #d5d9de; --soft: #f4f6f8; --ink: #1b2430; --faint: #5a6675; }
    * { box-sizing: border-box; }
    body { margin: 0 auto; max-width: 76rem; padding: 1rem 1.25rem 4rem; color: var(--ink); background: #fff;
      font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: break-word; }
    h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0 1rem; }
    h2 { font-size: 1.35rem; line-height: 1.3; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 3px solid var(--ink); }
    h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
    p, ul, dl { margin: .4rem 0 .8rem; max-width: 60rem; }
    a { color: #0b57a4; }
    code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em; overflow-wrap: anywhere; }
    nav ul { columns: 18rem; padding-left: 1.2rem; font-size: .92rem; }
    .note { color: var(--faint); }
    .scroll { overflow-x: auto; margin: .4rem 0 1rem; }
    table { border-collapse: collapse; font-size: .88rem; line-height: 1.35; }
    th, td { padding: .28rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
    thead th { background: var(--soft); border-bottom: 2px solid var(--line); }
    tbody th { font-weight: 600; }
    .n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
    dl.facts { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .15rem 1rem; }
    dl.facts dt { font-weight: 600; }
    dl.facts dd { margin: 0; }
    .warning { background: #fff4d6; }
    .claim { border-left: 5px solid var(--line); padding: .1rem 0 .1rem .8rem; margin: .8rem 0; max-width: 60rem; }
    .claim p { margin: .15rem 0; }
    .badge { display: inline-block; padding: 0 .45rem; border-radius: .3rem; font-size: .78rem; font-weight: 700;
      letter-spacing: .02em; text-transform: uppercase; background: var(--soft); color: var(--faint); }
    .holds { border-color: #1f7a3d; } .holds .badge { background: #dcf3e3; color: #145c2c; }
    .doesNotHold { border-color: #b3261e; } .doesNotHold .badge { background: #fbe0de; color: #8c1d18; }
    .open { border-color: #b98900; } .open .badge { background: #fff0c2; color: #6b5000; }
    figure { margin: 1rem 0 1.5rem; }
    figure img { display: block; max-width: 100%; min-width: 40rem; height: auto; border: 1px solid var(--line); }
    @page { margin: 14mm; }
    @media print {
      body { max-width: none; padding: 0; font-size: 10pt; }
      nav { display: none; }
      h2.result { break-before: page; }
      h3, .note { break-after: avoid; }
      .scroll { overflow: visible; }
      table { font-size: 7.5pt; }
      th, td { padding: 1pt 4pt; overflow-wrap: anywhere; }
      tr, .claim, figure { break-inside: avoid; }
      thead th, .badge, .warning { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
      figure img { min-width: 0; max-height: 250mm; }
    }
    """
}
