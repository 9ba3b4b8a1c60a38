// Reads logfmt (`time=… level=WARN msg="…" need="12 GiB"`), which Ollama, Grafana, Docker and many Go programs write.

/** A line that is longer, or has more pairs, stays a text. */
const MAX_CHARS = 65_536;
const MAX_PAIRS = 200;

const KEY = /[A-Za-z_@][\w.@/-]{0,99}(?==)/y;
/** One of these keys shows that the pairs are a log line; `a=1 b=2` without one is a text. */
const LOG_KEYS = ['level', 'lvl', 'severity', 'msg', 'message'];
/** Go's slog writes the place in the code as `source`, but an entry's `source` is its writer: such a value is an attribute. */
const CODE_PLACE = /^[^\s]{1,200}\.\w{1,8}:\d{1,7}$/;

/** The pairs of a line, each value as text; `undefined` unless the whole line is pairs and one of them is a level or a message. */
export function parseLogfmt(line: string): Record<string, unknown> | undefined {
  if (line.length > MAX_CHARS || line.includes('\n')) return undefined;
  const fields = new Map<string, unknown>();
  let pairs = 0;
  let at = 0;
  while (at < line.length) {
    if (line[at] === ' ') {
      at++;
      continue;
    }
    KEY.lastIndex = at;
    const key = KEY.exec(line)?.[0];
    if (key === undefined || ++pairs > MAX_PAIRS) return undefined;
    const start = at + key.length + 1;
    const end = endOfValue(line, start);
    if (end === undefined) return undefined;
    const value = unquoted(line.slice(start, end));
    fields.set(key, fields.has(key) ? [fields.get(key), value].flat() : value);
    at = end;
  }
  if (fields.size < 2 || !LOG_KEYS.some((key) => fields.has(key))) return undefined;
  const source = fields.get('source');
  if (typeof source === 'string' && CODE_PLACE.test(source)) {
    fields.delete('source');
    fields.set('attrs', { source });
  }
  return Object.fromEntries(fields);
}

/** Where the value that begins at `start` ends; `undefined` if a quote is not closed, or is not followed by a blank. */
function endOfValue(line: string, start: number): number | undefined {
  if (line[start] !== '"') {
    const end = line.indexOf(' ', start);
    return end < 0 ? line.length : end;
  }
  let at = start + 1;
  while (at < line.length && line[at] !== '"') at += line[at] === '\\' ? 2 : 1;
  const end = at + 1;
  return end === line.length || line[end] === ' ' ? end : undefined;
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return JSON.parse(value) as string;
  } catch {
    return value.slice(1, -1); // it holds escapes of Go that JSON does not have
  }
}
