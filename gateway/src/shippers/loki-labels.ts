// Reads the labels of a stream as Loki's protobuf has them, one text for all: `{job="api", path="C:\\logs"}`.

const MAX_LABELS = 256;
/** Loki itself takes 15 labels of 3 kB. */
const MAX_CHARS = 65_536;
const LABEL = /\s*([A-Za-z_][\w.-]{0,199})\s*=\s*"([^"\\]*(?:\\.[^"\\]*)*)"\s*(,|\}\s*$)/sy;
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
};

/** Undefined if the text has another form. */
export function parseLabels(text: string): Map<string, string> | undefined {
  const labels = new Map<string, string>();
  if (text.length > MAX_CHARS) return undefined;
  if (/^\s*\{\s*\}\s*$/.test(text.slice(0, 100))) return labels;
  const start = text.indexOf('{');
  if (start < 0 || text.slice(0, start).trim() !== '') return undefined;
  for (let at = start + 1; ; ) {
    LABEL.lastIndex = at;
    const [, name, value, end] = LABEL.exec(text) ?? [];
    if (name === undefined || value === undefined || labels.size === MAX_LABELS) return undefined;
    labels.set(name, unescaped(value));
    if (end !== ',') return labels;
    at = LABEL.lastIndex;
    // Go's own form has no comma at the end, but some senders write one.
    if (/^\s*\}\s*$/.test(text.slice(at, at + 100))) return labels;
  }
}

const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gs;

/** As Go's `strconv.Quote` escapes. */
function unescaped(value: string): string {
  return value.includes('\\') ? value.replace(ESCAPE, escaped) : value;
}

function escaped(whole: string, x?: string, u?: string, long?: string, plain?: string): string {
  const hex = x ?? u ?? long;
  if (hex === undefined) return ESCAPES[plain ?? ''] ?? plain ?? whole;
  const code = Number.parseInt(hex, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
}
