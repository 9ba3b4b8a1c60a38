// `npm run bench -w gateway -- slow idle`: starts all it needs, measures, prints a table each. Bounded in count and time.

import { idle } from './idle.ts';
import { slow } from './slow.ts';

const BENCHES: Record<string, () => Promise<void>> = { slow, idle };

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; known: ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
for (const [name, bench] of Object.entries(BENCHES)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`\n## ${name}\n`);
  await bench();
}
process.exit(0);
