// What models cost, as the prompts file says. The page multiplies; the gateway only hands the prices on.

import type { Prices } from '@llm-streamer/shared/api-types.ts';
import { z } from 'zod';
import { object } from './json-file.ts';
import { number, words } from './rules.ts';

const MAX_MODELS = 200;
const MODELS_RULE = `must be a list of at most ${MAX_MODELS} prices`;
const CURRENCY_RULE = 'must be the three letters of a currency, like USD';

export const NO_PRICES: Prices = { currency: 'USD', models: [] };

const price = object(
  {
    model: words(200),
    input: number('a number', 0, 1_000_000),
    output: number('a number', 0, 1_000_000),
  },
  'must be an object with model, input and output',
);

export const prices = object(
  {
    currency: z.string(CURRENCY_RULE).regex(/^[A-Z]{3}$/, CURRENCY_RULE),
    models: z.array(price, MODELS_RULE).max(MAX_MODELS, MODELS_RULE),
  },
  'must be an object with currency and models',
).refine(
  ({ models }) => new Set(models.map(({ model }) => model)).size === models.length,
  'every model needs a name of its own',
);
