/// How a page looks: light or dark as the reader's system asks, on wide and narrow screens and on
/// paper. Colour never carries a meaning alone.
let pageStyle = Markup.verbatim(
  """

  :root {
    color-scheme: light dark;
    --page: #f6f7f9; --sheet: #fff; --ink: #1b1f24; --soft: #59636e; --rule: #d5dae0;
    --pass: #18794e; --fail: #c62a2f; --inconclusive: #8a5a00; --tint: #0b6bcb;
    --c0: #0b6bcb; --c1: #c4500a; --c2: #16825d; --c3: #b3408b; --c4: #a87400; --c5: #2b93b8;
    --c6: #7048c6; --c7: #6a6f76;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --page: #0f1216; --sheet: #181c22; --ink: #e5e9ee; --soft: #9aa5b1; --rule: #313842;
      --pass: #4cc38a; --fail: #ff7b72; --inconclusive: #e2b14a; --tint: #6cb2ff;
      --c0: #6cb2ff; --c1: #ff9d5c; --c2: #4fd1a0; --c3: #f08ccb; --c4: #e5c04b; --c5: #6fd3f2;
      --c6: #b69cff; --c7: #b0b7bf;
    }
  }
  * { box-sizing: border-box; }
  body {
    margin: 0; background: var(--page); color: var(--ink);
    font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  }
  header, main { max-width: 1160px; margin: 0 auto; padding: 0 24px; }
  header { padding-top: 28px; }
  code, pre, .code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
  code, .code { font-size: .92em; overflow-wrap: anywhere; }
  h1 { margin: 0 0 14px; font-size: 24px; line-height: 1.3; font-weight: 650; }
  h2 { margin: 0 0 12px; font-size: 18px; font-weight: 650; }
  h3 { margin: 0 0 10px; font-size: 15px; font-weight: 600; display: flex; gap: 10px;
    align-items: baseline; overflow-wrap: anywhere; }
  p { margin: 0 0 12px; }
  .product { margin: 0 0 4px; color: var(--soft); font-weight: 600; }
  section, .levels, .tiles > div {
    background: var(--sheet); border: 1px solid var(--rule); border-radius: 8px;
  }
  section { margin: 20px 0; padding: 20px; }

  .badge {
    display: inline-block; flex: none; padding: 1px 9px; border: 1px solid currentColor;
    border-radius: 99px; color: var(--soft); font-size: 13px; font-weight: 600; line-height: 1.5;
    white-space: nowrap;
  }
  .badge.pass { color: var(--pass); }
  .badge.fail { color: var(--fail); }
  .badge.inconclusive { color: var(--inconclusive); }
  h1 .badge { font-size: 20px; padding: 3px 16px; margin-right: 8px; border: 0; }
  h1 .badge.pass { background: var(--pass); color: var(--page); }
  h1 .badge.fail { background: var(--fail); color: var(--page); }
  h1 .badge.inconclusive { background: var(--inconclusive); color: var(--page); }

  dl { margin: 0; }
  dt { color: var(--soft); }
  dd { margin: 0; overflow-wrap: anywhere; }
  .ends, article dl, .facts { display: grid; align-content: start; grid-template-columns: max-content 1fr; gap: 3px 16px; }
  .tiles { display: grid; grid-template-columns: repeat(3, 1fr); gap: 16px; margin: 18px 0 16px; }
  .tiles > div { padding: 12px 16px; min-width: 0; }
  .tiles strong { display: block; font-size: 22px; font-weight: 650; line-height: 1.3; }
  .tiles span { color: var(--soft); font-size: 13px; }
  ul { margin: 0 0 12px; padding-left: 20px; }
  .levels { list-style: none; margin: 0; padding: 0; }
  .levels li {
    display: grid; grid-template-columns: 90px 130px 1fr; gap: 12px; align-items: baseline;
    padding: 9px 16px;
  }
  .levels li + li { border-top: 1px solid var(--rule); }
  .levels .absent { color: var(--soft); }
  .levels .badge { justify-self: start; }
  .level { font-weight: 600; }
  a { color: var(--tint); }

  article { padding: 14px 16px; border: 1px solid var(--rule); border-left: 4px solid var(--rule);
    border-radius: 6px; }
  article + article { margin-top: 12px; }
  article.fail { border-left-color: var(--fail); }
  article.inconclusive { border-left-color: var(--inconclusive); }
  .bound { color: var(--soft); }
  .finding { overflow-wrap: anywhere; padding: 9px 0 0; margin-top: 9px; border-top: 1px solid var(--rule); }
  .finding p, .derivation { margin: 3px 0 0; }
  .derivation { overflow-wrap: anywhere; }
  .subject { font-weight: 600; }
  .cause { color: var(--fail); font-weight: 600; }
  .derivation { color: var(--soft); }
  summary { margin-top: 12px; color: var(--tint); cursor: pointer; }
  .measured dl { font-size: 14px; }
  .measured { display: grid; grid-template-columns: 1.1fr 1fr .7fr; gap: 12px 28px; }

  .scroll { overflow-x: auto; }
  .tall { max-height: 640px; overflow-y: auto; }
  table { border-collapse: collapse; width: 100%; font-size: 14px; }
  th, td { padding: 5px 14px 5px 0; text-align: left; vertical-align: top; white-space: nowrap;
    border-bottom: 1px solid var(--rule); }
  th { font-weight: 500; }
  thead th { color: var(--soft); background: var(--sheet); position: sticky; top: 0; }
  .number { text-align: right; font-variant-numeric: tabular-nums; }
  td .fail { color: var(--fail); font-weight: 650; }
  td .inconclusive { color: var(--inconclusive); font-weight: 650; }
  .words { white-space: normal; width: 100%; }
  .words p { margin: 0; }
  pre { margin: 0 0 12px; padding: 12px 14px; background: var(--page); border-radius: 6px;
    white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13.5px; }

  .plots:empty { display: none; }
  .plots + p { margin-top: 20px; }
  .plots { display: grid; grid-template-columns: 1fr 1fr; gap: 16px 32px; align-items: start; }
  figure { margin: 0; min-width: 0; }
  figcaption { margin-bottom: 8px; font-weight: 600; }
  .measured figcaption { color: var(--soft); font-weight: 400; font-size: 13px; }
  svg { display: block; width: 100%; height: auto; overflow: visible; }
  .measured svg { max-width: 400px; }
  figure[id$="-place"] svg { max-width: 290px; }
  svg text { fill: var(--soft); font-size: 13px; }
  svg .row { fill: var(--ink); font-size: 14px; }
  .grid { stroke: var(--rule); stroke-width: 1; }
  .axis { stroke: var(--soft); stroke-width: 1; }
  .c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
  .c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); } .c7 { --c: var(--c7); }
  .series { stroke: var(--c); stroke-width: 1.6; fill: none; }
  .mark { fill: var(--c); stroke: var(--sheet); stroke-width: .8; }
  .range { stroke: var(--c0); stroke-width: 5; stroke-linecap: round; opacity: .3; }
  .ring { fill: none; stroke: var(--fail); stroke-width: 2; }
  .bar { fill: var(--c0); }
  .bar.bad { fill: var(--fail); }
  .area { fill: var(--page); stroke: var(--soft); }
  .cross { stroke: var(--fail); stroke-width: 1; stroke-dasharray: 3 3; }
  .legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 10px 0 0; padding: 0;
    list-style: none; font-size: 13px; }
  .legend li { display: flex; align-items: center; gap: 6px; }
  .key { width: 24px; height: 12px; }

  @media (max-width: 900px) {
    .plots, .measured { grid-template-columns: 1fr; }
    .measured figure { max-width: 460px; }
  }
  @media (max-width: 600px) {
    header, main { padding: 0 12px; }
    header { padding-top: 16px; }
    section { padding: 14px 12px; }
    h1 { font-size: 20px; }
    .tiles { grid-template-columns: 1fr; gap: 8px; }
    .levels li { grid-template-columns: 1fr auto; gap: 2px 12px; }
    .levels li > :last-child { grid-column: 1 / -1; color: var(--soft); font-size: 14px; }
    .ends { grid-template-columns: 1fr; gap: 0; }
    .ends dd { margin-bottom: 7px; }
    .plots svg text { font-size: 18px; }
    th, td { padding-right: 10px; }
  }
  @media print {
    body { background: #fff; }
    section, article { break-inside: avoid; }
    .scroll, .tall { overflow: visible; max-height: none; }
  }

  """)
