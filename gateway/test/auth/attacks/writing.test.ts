import { beforeEach, describe, expect, it } from 'vitest';
import { line } from '../../../../test-support/gateway.ts';
import { eventually } from '../../../../test-support/process.ts';
import { bearer } from '../people.ts';

import { codeOf, gateway, get, historyOf, LOGS, publish, start } from './edge-gateway.ts';

describe.each(LOGS)('with the %s log', (log) => {
  describe('what is written', () => {
    beforeEach(() => start(log));

    it('18: one forbidden entry refuses the whole batch, and the error names its place', async () => {
      const open = { channel: 'team:a', msg: 'open' };
      const closed = { channel: 'logs', msg: 'closed' };
      const fieldOf = async (answer: Response) => {
        const { code, field } = (await answer.json()) as { code: string; field: string };
        return `${answer.status} ${code} ${field}`;
      };
      expect(await fieldOf(await publish('team', [open, closed]))).toBe('403 channel_forbidden [1].channel');
      const ndjson = { 'content-type': 'application/x-ndjson' };
      const text = (all: unknown[]) => all.map((one) => JSON.stringify(one)).join('\n');
      expect(await fieldOf(await publish('team', text([open, open, closed]), '', ndjson))).toBe(
        '403 channel_forbidden line 3.channel',
      );
      // This form goes into the log as it is written, without being parsed.
      const asWritten = (channel: string) => line(channel, 'as written').body;
      const bodies = [asWritten('team:a'), '', asWritten('logs')].join('\n');
      expect(await fieldOf(await publish('team', bodies, '', ndjson))).toBe(
        '403 channel_forbidden line 3.channel',
      );
      expect(await fieldOf(await publish('team', { msg: 'x' }, '?channel=logs'))).toBe(
        '403 channel_forbidden channel',
      );
      const plain = { 'content-type': 'text/plain' };
      expect(await fieldOf(await publish('team', 'a\nb', '?channel=logs', plain))).toBe(
        '403 channel_forbidden channel',
      );
      expect(await historyOf('team:*,logs')).toEqual([]);
      for (const [body, query, headers] of [
        [open, '', {}],
        [asWritten('team:a'), '', ndjson],
        ['text', '?channel=team:b', plain],
      ] as const)
        expect((await publish('team', body, query, headers)).status).toBe(200);
      expect(await historyOf('team:*')).toHaveLength(3);
    });

    it('19: a source that the key may not claim is refused in every form', async () => {
      const entry = (source: string) => ({ channel: 'logs:ci', msg: 'x', source });
      const ndjson = { 'content-type': 'application/x-ndjson' };
      expect(await codeOf(await publish('ci', entry('gpu-7')))).toBe('403 forbidden');
      expect(await codeOf(await publish('ci', { channel: 'logs:ci', msg: 'x' }))).toBe('403 forbidden');
      const asWritten = (source: string) => line('logs:ci', 'x', { source }).body;
      for (const source of ['gpu-7', 'gpu"ci-', '\\ci-1', 'ci'])
        expect(await codeOf(await publish('ci', asWritten(source), '', ndjson))).toBe('403 forbidden');
      expect((await publish('ci', entry('ci-1'))).status).toBe(200);
      expect((await publish('ci', asWritten('ci-"2"'), '', ndjson)).status).toBe(200);
      expect((await publish('exact', { channel: 'logs:x', msg: 'x' })).status).toBe(200);
      expect((await historyOf('logs:ci,logs:x')).map(({ source }) => source)).toEqual([
        'ci-1',
        'ci-"2"',
        'ci-1',
      ]);
    });

    it("19: nobody can use up the numbers of another's Publisher-Id", async () => {
      const id = 'a'.repeat(32);
      const stamp = (seq: number) => ({ 'publisher-id': id, 'publisher-seq': `${seq}` });
      expect((await publish('team', { channel: 'team:a', msg: 'attack' }, '', stamp(999_999))).status).toBe(
        200,
      );
      expect((await publish('all', { channel: 'logs', msg: 'mine' }, '', stamp(1))).status).toBe(200);
      expect((await historyOf('logs')).map(({ msg }) => msg)).toEqual(['mine']);
      // The same batch of the same writer is still written once.
      await publish('all', { channel: 'logs', msg: 'mine' }, '', stamp(1));
      expect(await historyOf('logs')).toHaveLength(1);
    });

    it("20: the gateway's own channels are written by nobody else", async () => {
      for (const channel of ['audit:auth', 'audit:x', 'logs:gateway', 'events:runs:all', 'runs:all/r'])
        for (const name of ['all', 'admin'])
          expect(await codeOf(await publish(name, { channel, msg: 'forged' }))).toBe('422 channel_reserved');
      expect((await historyOf('audit:*,logs:gateway,runs:*')).filter(({ msg }) => msg === 'forged')).toEqual(
        [],
      );
      // Nothing trusts this one, where runs have owners, and producers write it.
      expect((await publish('all', { channel: 'events:runs', msg: 'mine' })).status).toBe(200);
    });

    it('40: no answer that not everybody may have is kept by a browser or a proxy', async () => {
      const paths = ['/api/entries', '/api/channels', '/api/runs', '/api/runs/x', '/api/conversations/x'];
      for (const path of [...paths, '/auth/profile', '/metrics', '/sse/health', '/api/runs/x/stream'])
        for (const name of ['all', undefined])
          expect([path, (await get(path, name)).headers.get('cache-control')]).toEqual([path, 'no-store']);
      expect((await get('/')).headers.get('cache-control')).toBe('no-cache');
    });

    it('the limit of runs is counted for each person', async () => {
      const run = (name: string, id: string) =>
        fetch(`${gateway.url}/api/process`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', prefer: 'respond-async', ...bearer(name) },
          body: JSON.stringify({ message: 'hi', message_id: id }),
        });
      const statuses: number[] = [];
      for (let i = 0; i < 4; i++) statuses.push((await run('team', `t${i}`)).status);
      expect(statuses).toContain(429);
      expect((await run('all', 'a1')).status).toBe(202);
    });

    it('40: refusals are summed for admins, and hold no secret', async () => {
      const secret = 'lls_very-secret-key';
      for (let i = 0; i < 30; i++)
        await get('/api/entries', undefined, { authorization: `Bearer ${secret}` });
      await publish('team', { channel: 'logs', msg: 'my secret text' });
      const entries = await eventually('the refusals', async () => {
        const found = await historyOf('audit:refusals');
        return found.some(({ msg }) => msg.includes('POST /api/publish')) && found;
      });
      expect(entries.length).toBeLessThan(20);
      expect(JSON.stringify(entries)).toContain(
        'refused GET /api/entries to an invalid api key: unauthorized',
      );
      expect(JSON.stringify(entries)).toContain('key:team');
      for (const text of [secret, 'secret']) expect(JSON.stringify(entries)).not.toContain(text);
      expect((await get('/api/entries?channels=audit:*', 'all')).status).toBe(403);
    });
  });
});
