const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

// What XML 1.0 has no character for, halves of surrogate pairs among it; and marks that could turn a line around.
const refused =
  /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]|[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/gu;

/** Text in HTML or XML, in an element or an attribute; names come from models and people. */
export function escaped(text: string): string {
  return text.replace(refused, "\ufffd").replace(/[&<>"']/g, (character) => entities[character]!);
}

/**
 * A page that needs nothing else: no script, no request.
 * @param parts.title plain text; `style` and `body` are CSS and HTML, in which every name is {@link escaped} already
 */
export function htmlPage({ title, style, body }: { title: string; style: string; body: string }): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
${body}</body>
</html>
`;
}
