// What a run has cost, by the prices that the operator has set: sums over its generations. What has no price is counted apart, never as 0.
import type { Prices } from '@llm-streamer/shared/api-types.ts';
import { type Span, spansIn } from './span.ts';

export interface Cost {
  currency: string;
  amount: number;
  /** Whether a generation has not said all its tokens, or only its own count of them. */
  isEstimated: boolean;
  /** Generations that said tokens and have no price. */
  unpriced: number;
}

/** Undefined where the gateway does not answer, or not yet for this reader. */
export async function fetchPrices(): Promise<Prices | undefined> {
  const response = await fetch(new URL('api/prices', document.baseURI));
  return response.ok ? response.json() : undefined;
}

/** Undefined where no generation has a price. */
export function costOf(root: Span, prices: Prices | undefined): Cost | undefined {
  if (!prices?.models.length) return undefined;
  const cost: Cost = { currency: prices.currency, amount: 0, isEstimated: false, unpriced: 0 };
  let priced = 0;
  for (const span of spansIn(root)) {
    const { kind, inputTokens, outputTokens } = span;
    // A lane of several generations repeats what these say.
    if (span === root || kind === 'lane' || (inputTokens ?? outputTokens) === undefined) continue;
    const price = priceOf(span.model, prices);
    if (!price) {
      cost.unpriced++;
      continue;
    }
    priced++;
    cost.amount += ((inputTokens ?? 0) * price.input + (outputTokens ?? 0) * price.output) / 1_000_000;
    cost.isEstimated ||= span.isEstimated || inputTokens === undefined || outputTokens === undefined;
  }
  return priced > 0 ? cost : undefined;
}

function priceOf(model: string, { models }: Prices): Prices['models'][number] | undefined {
  const fits = models.filter(({ model: name }) =>
    name.endsWith('*') ? model.startsWith(name.slice(0, -1)) : model === name,
  );
  return fits.sort((a, b) => b.model.length - a.model.length)[0];
}

/** Small amounts keep two digits that say something: `0.0042 USD`. */
export function costText({ amount, currency, isEstimated, unpriced }: Cost): string {
  const digits = amount === 0 || amount >= 1 ? 2 : Math.min(8, 1 - Math.floor(Math.log10(amount)));
  const without = unpriced > 0 ? ` (${unpriced} without a price)` : '';
  return `${isEstimated ? '~' : ''}${amount.toFixed(Math.max(2, digits))} ${currency}${without}`;
}
