// What destinations are sent, in the form of each. All alerts that wait go into one message, so that a hundred at once are no hundred
// calls; texts are escaped for their reader, and headers hold nothing that came from the log.

import type { FiringAlert } from '@llm-streamer/shared/api-types.ts';

/** At most this many alerts in one message. */
export const MAX_TOGETHER = 20;

export interface DeliveredAlert extends FiringAlert {
  /** The same each time that this message is sent: a destination may get it twice if a gateway dies between sending and noting it. */
  id: string;
  event: 'alert.firing' | 'alert.resolved';
  time: number;
  test?: boolean;
}

export function jsonBody(alerts: readonly DeliveredAlert[]): string {
  return JSON.stringify({ source: 'llm-streamer', alerts });
}

/** In Slack, these three characters would begin a link or a mention. */
export function slackBody(alerts: readonly DeliveredAlert[]): string {
  const text = lines(alerts).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return JSON.stringify({ text, mrkdwn: false });
}

export function ntfyRequest(alerts: readonly DeliveredAlert[]): {
  body: string;
  headers: Record<string, string>;
} {
  const firing = alerts.filter(({ event }) => event === 'alert.firing');
  const isBad = firing.some(({ level }) => level === 'error');
  return {
    body: lines(alerts),
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      title: firing.length > 0 ? `${firing.length} firing` : 'Resolved',
      priority: isBad ? 'high' : 'default',
      tags: firing.length > 0 ? 'rotating_light' : 'white_check_mark',
    },
  };
}

function lines(alerts: readonly DeliveredAlert[]): string {
  return alerts.map(({ event, level, text }) => `${markOf(event, level)} ${text}`).join('\n');
}

function markOf(event: DeliveredAlert['event'], level: FiringAlert['level']): string {
  if (event === 'alert.resolved') return '✅';
  return level === 'error' ? '🔴' : '🟠';
}

export function parseMessage(text: string): DeliveredAlert | undefined {
  try {
    const message: unknown = JSON.parse(text);
    return typeof message === 'object' && message !== null ? (message as DeliveredAlert) : undefined;
  } catch {
    return undefined; // another program has written to the list
  }
}
