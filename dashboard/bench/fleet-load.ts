// What a fleet of model servers writes: each source reports its numbers once a second, and streams generations; the rest is their logs.
const GENERATION_PIECES = 40;
/** Those that are deltas: all but the start, the end and each fourth, which is a line. */
const DELTAS = Array.from({ length: GENERATION_PIECES - 3 }, (_, i) => i + 2).filter(
  (piece) => piece % 4 !== 0,
);

/** What `sources` sources write at `rate` entries per second in all. */
export function fleetLoad(sources: number, rate: number): (n: number) => Record<string, unknown> {
  return (n) => fleetEntry(n, sources, rate / sources);
}

function fleetEntry(n: number, sources: number, each: number): Record<string, unknown> {
  const source = n % sources;
  const turn = Math.floor(n / sources);
  const name = `gpu-${source}`;
  const model = { 'gen_ai.request.model': `org/model-${source % 7}` };
  const entry = { source: name, level: 'info' };
  if (turn % Math.round(each) === 0) {
    const attrs = {
      ...model,
      'host.name': `host-${source % 20}`,
      generation_tokens_per_s: 200 + ((source * 7 + turn) % 90),
      requests_running: 1 + (turn % 9),
      requests_waiting: turn % 3,
      kv_cache_usage: ((source * 13 + turn) % 100) / 100,
    };
    return { ...entry, event: 'server.metrics', msg: 'numbers', attrs };
  }
  const run = `${name}-${Math.floor(turn / GENERATION_PIECES)}`;
  const lane = { lane: 'llm-1' };
  const piece = turn % GENERATION_PIECES;
  if (piece === 1)
    return { ...entry, run, event: 'generation.started', msg: 'started', attrs: { ...model, ...lane } };
  if (piece === GENERATION_PIECES - 1) {
    const numbers = {
      'gen_ai.usage.output_tokens': DELTAS.length,
      'gen_ai.response.time_to_first_chunk': 0.1 + (source % 9) / 10,
    };
    return {
      ...entry,
      run,
      event: 'generation.finished',
      msg: 'finished',
      attrs: { ...model, ...lane, ...numbers },
    };
  }
  if (piece % 4 !== 0)
    return { ...entry, run, event: 'generation.delta', msg: ' word', attrs: { ...lane, tokens: 1 } };
  const level = n % 9973 === 0 ? 'error' : 'info';
  return { ...entry, level, msg: `request ${n} accepted: ${(n * 7) % 4_096} prompt tokens, queue ${n % 13}` };
}
