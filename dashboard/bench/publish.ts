// Publishes entries at a steady rate by the API that every producer uses. A late batch is followed by a larger one, so
// the average rate is kept.

const TICK_MS = 40;
const BATCH = 400;
const LEVELS = ['debug', 'info', 'info', 'info', 'warn', 'info', 'info', 'error'] as const;

/** Entry `n` of a load, without its channel. */
export type EntryOf = (n: number) => Record<string, unknown>;

/** Resolves with the number of entries that the gateway accepted. */
export async function publishSteadily(
  url: string,
  channel: string,
  rate: number,
  seconds: number,
  entryOf: EntryOf = logLine,
): Promise<number> {
  const started = performance.now();
  let published = 0;
  for (;;) {
    const elapsed = Math.min(seconds * 1_000, performance.now() - started);
    const due = Math.round((rate * elapsed) / 1_000);
    while (published < due) {
      const count = Math.min(BATCH, due - published);
      await post(url, channel, published, count, entryOf);
      published += count;
    }
    if (elapsed >= seconds * 1_000) return published;
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
}

/** Publishes so many entries as fast as the gateway takes them. */
export async function publishAtOnce(
  url: string,
  channel: string,
  count: number,
  entryOf: EntryOf,
): Promise<void> {
  for (let sent = 0; sent < count; sent += BATCH)
    await post(url, channel, sent, Math.min(BATCH, count - sent), entryOf);
}

function logLine(n: number): Record<string, unknown> {
  return {
    source: `producer-${n % 5}`,
    level: LEVELS[n % LEVELS.length],
    msg: `request ${n} accepted: ${(n * 7) % 4_096} prompt tokens, queue ${n % 13}, cache hit rate 0.${n % 97}`,
    attrs: { n, tenant: `t${n % 11}`, 'gen_ai.request.model': 'gpt-4o' },
  };
}

async function post(
  url: string,
  channel: string,
  from: number,
  count: number,
  entryOf: EntryOf,
): Promise<void> {
  const lines = Array.from({ length: count }, (_, i) => JSON.stringify({ channel, ...entryOf(from + i) }));
  const response = await fetch(`${url}/api/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  if (!response.ok) throw new Error(`publish: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}
