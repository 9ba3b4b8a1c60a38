// The program behind `npm run users`.

import { main } from './command-line.ts';
import { users } from './users.ts';

await main(users);
