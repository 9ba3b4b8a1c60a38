// What one large run writes: lanes side by side, each with steps of a model's answer and a call of a tool, which begin again and again.
const LANES = 8;
/** Entries of a step: its start, its words, its end, and a call of a tool. */
const STEP = 25;

/** Entry `n` of the run. */
export function runLoad(run: string): (n: number) => Record<string, unknown> {
  return (n) => ({ run, source: 'agent-1', level: 'info', ...stepEntry(n % LANES, Math.floor(n / LANES)) });
}

function stepEntry(lane: number, turn: number): Record<string, unknown> {
  const step = Math.floor(turn / STEP);
  const attrs = { lane: `llm-${lane}`, step };
  const tool = { ...attrs, 'gen_ai.tool.name': 'sql.query', 'gen_ai.tool.call.id': `${lane}-${step}` };
  switch (turn % STEP) {
    case 0:
      return { event: 'generation.started', msg: 'started', attrs };
    case STEP - 3:
      return {
        event: 'generation.finished',
        msg: 'finished',
        attrs: { ...attrs, 'gen_ai.usage.output_tokens': 21 },
      };
    case STEP - 2:
      return { event: 'tool.called', msg: 'sql.query', attrs: tool };
    case STEP - 1:
      return { event: 'tool.returned', msg: 'sql.query', attrs: tool };
    default:
      return { event: 'generation.delta', msg: ' word', attrs: { ...attrs, tokens: 1 } };
  }
}
