import { describe, expect, it } from 'vitest';
import { ignoredIn } from '../../src/state/link-check.ts';
import { formatView, parseView } from '../../src/state/view-state.ts';

describe('the URL is the view', () => {
  it.each([
    '',
    '?channels=logs:errors,events:*',
    '?q=level:warn%2B+-heartbeat',
    '?channels=logs&level=warn&time=utc&wrap=1&fold=0&narrow=1&charts=1&list=1&theme=light&keys=0',
    '?channels=logs,no+channel',
    '?channels=%22%22',
    '?t=run-1&vs=alice%2Frun-2',
    '?hl=timeout&tail=50&since=15m&at=1-2&range=1000..2000&follow=0&wrap=0&panel=run&embed=1',
  ])('%s comes back as it was', (search) => {
    expect(formatView(parseView(search))).toBe(search);
  });

  it('keeps the parameters of other parts of the page', () => {
    expect(formatView(parseView('?models=a,b&q=x'), '?models=a,b&q=old')).toBe('?models=a,b&q=x');
  });

  it('names invalid channels', () => {
    expect(parseView('?channels=logs,a b,')).toMatchObject({ channels: ['logs'], invalidChannels: ['a b'] });
    expect(parseView('?channels=')).toMatchObject({ channels: ['*'], invalidChannels: [] });
  });

  it('reads run= and source= as conditions', () => {
    expect(parseView('?run=r7f&source=gpu-1&q=x').q).toBe('x run:r7f source:gpu-1');
  });

  it.each([
    '?channels=%00',
    '?channels=',
    '?level=loud',
    '?tail=-1',
    '?tail=1e9',
    '?range=5..1',
    '?time=mars',
    '?sort=nonsense',
  ])('%s falls back to what is allowed', (search) => {
    const view = parseView(search);
    expect(view.channels).toEqual(['*']);
    expect(view).toMatchObject({ level: '', range: undefined, time: 'local', sort: '' });
    expect(view.tail).toBeLessThanOrEqual(10_000);
    expect(view.tail).toBeGreaterThanOrEqual(0);
  });

  it.each([
    ['', []],
    ['?channels=logs,*&level=trace&tail=500&time=local&wrap=1&charts=0&range=1..2&theme=auto&panel=none', []],
    ['?level=&tail=&since=15m&prompt=x&models=a&constructor=1&show=r1', []],
    ["?channels=logs'x,logs&ch=a b", ["channels=logs'x", 'channels=a b']],
    ['?level=loud&tail=-5&time=mars&charts=yes&range=5..1', null],
    ['?tail=20000', ['tail=20000']],
    ['?theme=%E2%80%AEx', ['theme=?x']],
  ])('of %s, what is not possible is listed', (search, ignored) => {
    expect(ignoredIn(search)).toEqual(ignored ?? search.slice(1).split('&'));
  });
});
