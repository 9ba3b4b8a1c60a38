// The program behind `npm run keys`.

import { main } from './command-line.ts';
import { keys } from './keys.ts';

await main(keys);
