import { beforeEach, describe, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { bearer } from '../people.ts';

import { channelsOf, codeOf, gateway, get, historyOf, LOGS, start, view } from './edge-gateway.ts';

describe.each(LOGS)('with the %s log', (log) => {
  describe('what is read', () => {
    beforeEach(() => start(log));

    it('9: logs* reads logs and logs:x, and nothing else', async () => {
      for (const channel of ['logs', 'logs:x']) {
        await gateway.broker.publish([line(channel, channel)]);
        expect((await get(`/api/entries?channels=${channel}`, 'logs')).status).toBe(200);
        expect(await channelsOf(await view('logs', `channels=${channel}`))).toBeUndefined();
      }
      for (const channel of ['log', 'runs:x', 'audit:x', 'audit:auth', 'team:a', 'conversations:c'])
        for (const path of ['/stream', '/api/entries'])
          expect(await codeOf(await get(`${path}?channels=${channel}`, 'logs'))).toBe(
            '403 channel_forbidden',
          );
    });

    it('10: * does not open runs, however they are asked for', async () => {
      await gateway.broker.publish([line('runs:bob/r1', 'a prompt'), line('events:runs:bob', 'a run')]);
      for (const pattern of ['runs:*', 'runs:bob/*', 'audit:*', 'conversations:*', 'events:runs:*']) {
        const answer = await get(`/api/entries?channels=${pattern}`, 'more');
        const own = pattern === 'runs:*' || pattern === 'conversations:*';
        if (own) {
          const page = (await answer.json()) as { entries: unknown[]; channels: string[] };
          expect(page).toMatchObject({ entries: [], channels: [pattern.replace('*', 'more/*')] });
        } else if (pattern === 'events:runs:*')
          expect(((await answer.json()) as { channels: string[] }).channels).toEqual(['events:runs:more']);
        else expect(await codeOf(answer)).toBe('403 channel_forbidden');
      }
      for (const pattern of ['r*', '*s:*', '*', '*bob*', '*:runs:*', 'ru*ns:*']) {
        expect(await historyOf(pattern, 'more')).toEqual([]);
      }
      expect(await historyOf('runs:*')).toHaveLength(1);
    });

    it('11: a hundred patterns of many stars are answered or refused, and others are served meanwhile', async () => {
      const starry = Array.from({ length: 10 }, (_, i) => `*${'a'.repeat(i)}*b*c`);
      const simple = Array.from({ length: 90 }, (_, i) => `${'l'.repeat(100)}${i}*`);
      const starred = Array.from({ length: 10 }, () =>
        get(`/api/entries?channels=${[...starry, ...simple].join()}`, 'logs'),
      );
      expect((await get('/api/entries', 'team')).status).toBe(200);
      for (const answer of await Promise.all(starred)) expect([200, 400]).toContain(answer.status);
      expect((await get(`/api/entries?channels=${'*a'.repeat(60)}`, 'logs')).status).toBe(400);
    });

    it('13: equal rights share a view, other rights have another', async () => {
      const views = async () => ((await (await get('/sse/health', 'all')).json()) as { views: number }).views;
      for (const name of ['logs', 'same', 'logs']) await (await view(name, 'channels=*')).saw('live');
      expect(await views()).toBe(1);
      await (await view('team', 'channels=*')).saw('live');
      expect(await views()).toBe(2);
      // What is allowed as a whole is the view of those who may read more.
      await (await view('all', 'channels=logs:*')).saw('live');
      await (await view('logs', 'channels=logs:*')).saw('live');
      expect(await views()).toBe(3);
    });

    it('14: the id of a wider session replays nothing to a narrower one', async () => {
      const [first] = await gateway.broker.publish([
        line('logs', 'first'),
        line('team:a', 'closed'),
        line('logs', 'open'),
      ]);
      const viewer = await view('logs', 'channels=*', { 'last-event-id': `${first}` });
      expect(await channelsOf(viewer)).toEqual(['logs*']);
      await viewer.got(1);
      await viewer.saw('live');
      expect(viewer.msgs.filter((msg) => msg !== 'gateway started')).toEqual(['open']);
    });

    it('entries, as JSON and as NDJSON, say to what they were narrowed', async () => {
      await gateway.broker.publish([line('logs', 'open'), line('team:a', 'closed')]);
      const json = await get('/api/entries?channels=*,logs:x', 'logs');
      expect(await json.json()).toMatchObject({ channels: ['logs*'] });
      expect((await historyOf('*,logs:x', 'logs')).map(({ msg }) => msg)).toEqual(['open']);
      const lines = await get('/api/entries', 'logs', { accept: 'application/x-ndjson' });
      expect(lines.headers.get('channels')).toBe('logs*');
      expect(await lines.text()).not.toContain('closed');
      const whole = await get('/api/entries', 'all', { accept: 'application/x-ndjson' });
      expect(whole.headers.get('channels')).toBeNull();
      expect(await (await get('/api/entries', 'all')).json()).not.toHaveProperty('channels');
    });

    it('HEAD of a stream is judged as GET is', async () => {
      const head = (query: string) =>
        fetch(`${gateway.url}/stream?${query}`, { method: 'HEAD', headers: bearer('logs') });
      expect((await head('channels=logs')).status).toBe(200);
      expect((await head('channels=team:a')).status).toBe(403);
    });

    it('a list of channels holds those that may be read', async () => {
      await gateway.broker.publish([
        line('logs', 'a'),
        line('logs:x', 'a'),
        line('team:a', 'a'),
        line('runs:r', 'a'),
      ]);
      const names = async (name: string) => {
        const { channels } = (await (await get('/api/channels', name)).json()) as {
          channels: { channel: string }[];
        };
        return channels.map(({ channel }) => channel).filter((channel) => channel !== 'logs:gateway');
      };
      const asked = ['logs', 'same', 'team', 'all', 'ci'];
      expect(await Promise.all(asked.map(names))).toEqual([
        ['logs', 'logs:x'],
        ['logs', 'logs:x'],
        ['team:a'],
        ['logs', 'logs:x', 'team:a'],
        [],
      ]);
    });
  });

  describe('gaps', () => {
    beforeEach(() => start(log, { RETENTION_ENTRIES: '1' }));

    it('15: name only channels that may be read', async () => {
      const [first] = await gateway.broker.publish([line('logs', 'first')]);
      for (let i = 0; i < 4; i++)
        await gateway.broker.publish(
          ['logs', 'team:a'].flatMap((channel) =>
            Array.from({ length: 200 }, (_, j) => line(channel, `${i} ${j}`)),
          ),
        );
      const viewer = await view('logs', 'channels=*', { 'last-event-id': `${first}` });
      await viewer.saw('live');
      const named = viewer.named('gap').map(({ data }) => data.channel);
      expect(named).toContain('logs');
      expect(named).not.toContain('team:a');
      const page = (await (await get(`/api/entries?channels=*&after=${first}`, 'team')).json()) as {
        gaps: { channel: string }[];
      };
      expect(page.gaps.map(({ channel }) => channel)).toEqual(['team:a']);
    });
  });
});
