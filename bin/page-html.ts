import MarkdownIt from 'markdown-it';

/** A page of Markdown as one HTML file that opens and prints anywhere: no script, nothing loaded. HTML in the text stays text. */
export function pageHtml(title: string, markdown: string): string {
  const body = new MarkdownIt({ html: false, linkify: false }).render(markdown);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>
  @page { size: A4; margin: 12mm }
  body { font: 13px/1.4 system-ui, sans-serif; max-width: 62rem; margin: 1.5rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff }
  h1 { font-size: 1.5rem; margin: 0 0 .3rem } h2 { font-size: 1rem; margin: 1rem 0 .3rem; border-bottom: 1px solid #bbb }
  p { margin: .3rem 0 } li { margin: .45rem 0 } table { border-collapse: collapse; width: 100%; margin: .3rem 0 }
  h3 { font-size: .95rem; margin: .8rem 0 .3rem }
  th, td { border: 1px solid #ccc; padding: .2rem .4rem; text-align: left; vertical-align: top } td { overflow-wrap: anywhere } td:first-child { min-width: 5.2rem } th { background: #f2f2f2; font-weight: 600 }
  code { font: .92em ui-monospace, monospace; overflow-wrap: anywhere } td:first-child code { white-space: nowrap }
  @media print { body { font-size: 9.5px; margin: 0; padding: 0; max-width: none } h2 { break-after: avoid } tr { break-inside: avoid } }
</style>
</head>
<body>
<main>
${body}</main>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
