// The same entries compressed and not: a thousand viewers under load, and a quiet view where every entry goes out alone.

import { appendRate, connect, steady, warmUp } from '../measure.ts';
import { type Context, ratio, type Scenario } from '../scenario.ts';
import { Stage } from '../stage.ts';
import type { Figures } from '../table.ts';
import { startGateway } from '../targets/gateway.ts';

/** More entries than a deflate window holds. */
const WINDOW_ENTRIES = 100;

const design = (gzip: boolean, viewers: number, rate: number) => (context: Context) => {
  const count = context.scaled(viewers);
  const lanes = [{ channel: 'bench', source: 'bench' }];
  const cast = { viewers: count, sampled: Math.min(5, count), lanes, bytes: 200, request: { gzip } };
  return Stage.with(startGateway, cast, async (stage) => {
    const { kb } = await connect(stage);
    await warmUp(stage);
    await appendRate(stage, WINDOW_ENTRIES); // fills the window, as in a view that has run for a while
    const figures: Figures = await steady(stage, rate, context.seconds);
    if (!gzip || figures.more?.gzip === 1) return { ...figures, memory: kb };
    const notes = [...(figures.notes ?? []), 'the gateway did not compress'];
    return { ...figures, memory: kb, notes };
  });
};

const bytes = (figures: Figures) => figures.bytes;

export const compressed: Scenario = {
  name: 'gzip',
  about: 'gzip beside identity: 1,000 viewers × 1,000 entries/s, and 100 viewers × 20 entries/s (quiet)',
  designs: {
    identity: design(false, 1_000, 1_000),
    gzip: design(true, 1_000, 1_000),
    'identity, quiet': design(false, 100, 20),
    'gzip, quiet': design(true, 100, 20),
  },
  bars: [
    { says: '× fewer bytes', of: ratio(bytes, 'identity', 'gzip'), least: 8 },
    { says: '× fewer bytes, quiet', of: ratio(bytes, 'identity, quiet', 'gzip, quiet'), least: 8 },
    { says: 'CPU × identity', of: ratio(({ cpu }) => cpu, 'gzip', 'identity'), most: 1.2 },
  ],
  remarks: ({ more }) => [`${Math.round((more?.entriesPerWrite ?? 0) * 10) / 10} entries a write`],
};
