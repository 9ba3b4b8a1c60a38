// An alert that fires, as `GET /api/alerts` answers it. Whatever the answer holds, what is read from it is bounded, and of these types.

export interface Alert {
  /** Which alert it is; the same each time that it fires. */
  id: string;
  rule: string;
  /** What the rule tells apart, as text: `source gpu-7`. */
  group: string;
  /** One sentence. */
  text: string;
  isError: boolean;
  value: number | undefined;
  bound: number | undefined;
  /** Epoch ms by the gateway's clock; undefined where not known. */
  since: number | undefined;
  /** The entry that made it fire, where it was one. */
  cause: { channel: string; id: string } | undefined;
}

const MAX_ALERTS = 500;
const MAX_CHARS = 300;

/** Whether the gateway has rules, of which alerts are made. */
export function hasRules(answer: unknown): boolean {
  return fieldsOf(answer).rules === true;
}

/** The worst first, then the latest. */
export function readAlerts(answer: unknown): Alert[] {
  const list = fieldsOf(answer).alerts;
  const read = (Array.isArray(list) ? list : []).slice(0, MAX_ALERTS).flatMap((each) => {
    const { alert, rule, group, text, level, value, bound, since, cause_channel, cause_id } = fieldsOf(each);
    if (typeof alert !== 'string') return [];
    const hasCause = typeof cause_channel === 'string' && typeof cause_id === 'string';
    return {
      id: alert,
      rule: textOf(rule),
      group: groupOf(group),
      text: textOf(text) || cut(alert),
      isError: level !== 'warn',
      value: numberOf(value),
      bound: numberOf(bound),
      since: numberOf(since),
      cause: hasCause ? { channel: cause_channel, id: cause_id } : undefined,
    };
  });
  return read.sort((a, b) => Number(b.isError) - Number(a.isError) || (b.since ?? 0) - (a.since ?? 0));
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function groupOf(group: unknown): string {
  const named = Object.entries(fieldsOf(group)).filter(([, value]) => typeof value === 'string');
  return cut(named.map(([name, value]) => `${name} ${value}`).join(', '));
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? cut(value) : '';
}

function cut(text: string): string {
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;
}
