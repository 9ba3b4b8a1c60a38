// Makes the answers of the simulated models: whole sentences on one topic, cut into tokens as large as those of real tokenizers.

import type { Random } from './random.ts';

const TOPICS: readonly (readonly string[])[] = [
  [
    'Gravity is not a force in the usual sense but a consequence of curved spacetime.',
    'A massive object such as the Sun bends the geometry around it, and planets follow the straightest paths available.',
    'Newton described the same effect as an attraction proportional to the product of the masses.',
    'For most engineering purposes the Newtonian picture is accurate to many decimal places.',
    'The difference becomes visible near very dense objects, or when clocks are compared to within nanoseconds.',
    'GPS satellites, for instance, must correct for about 38 microseconds per day.',
    'Gravitational waves, first detected in 2015, are ripples of this geometry that travel at the speed of light.',
  ],
  [
    'The function is slow because it queries the database once for every row, the classic N+1 problem.',
    "You can fetch everything in one round trip by joining on `customer_id`:\n\n```sql\nSELECT o.id, o.total, c.name\nFROM orders o\nJOIN customers c ON c.id = o.customer_id\nWHERE o.created_at > now() - interval '7 days';\n```\n",
    'An index on `orders (created_at, customer_id)` lets the planner avoid a sequential scan.',
    'Run `EXPLAIN (ANALYZE, BUFFERS)` before and after, and compare the actual row counts with the estimates.',
    'If the estimates are far off, `ANALYZE orders;` refreshes the statistics.',
    'Keep the transaction short: long ones hold back vacuum and bloat the table.',
    'With these changes the endpoint should answer in a few milliseconds instead of seconds.',
  ],
  [
    'Here is a summary of the quarterly report.',
    'Revenue grew by 12.4 % year over year, driven mainly by subscriptions in the EMEA region.',
    'Gross margin narrowed by 1.8 points because of higher GPU leasing costs.',
    'Churn fell to 2.1 %, the lowest value since the product was launched.',
    'The company expects capital expenditure to stay flat in the coming two quarters.',
    'Three risks are named: supply of accelerators, currency effects, and the pending regulation of foundation models.',
    'Management did not change its full-year guidance.',
  ],
  [
    'Yes, you can return the headphones within 30 days of delivery, even if the box has been opened.',
    'Please open *Orders → Returns* in your account and choose the item; the label is free of charge.',
    'Refunds usually reach your card within three to five business days after the parcel has been scanned.',
    'If the left earcup stays silent, a factory reset often helps: hold both buttons for ten seconds.',
    'I have noted the serial number in your ticket so that you do not have to repeat it.',
    'Is there anything else I can help you with today?',
  ],
  [
    'Let us go through the stack trace from the bottom up.',
    "The `KeyError: 'choices'` means that the upstream service answered with an error object instead of a completion.",
    'Check the status code first, and only then read the body:\n\n```python\nresponse = client.post(url, json=payload, timeout=30)\nresponse.raise_for_status()\ndata = response.json()\n```\n',
    'A timeout of 30 seconds is a reasonable start; long generations should be streamed instead.',
    'Wrap the call in a retry with exponential backoff and jitter, but only for 429 and 5xx answers.',
    'Retrying a 400 will never succeed and only burns your quota.',
    'Finally, log the request id, so that both sides can find the same call later.',
  ],
  [
    'Ein Kompromiss wäre, die Besprechung auf Donnerstag zu verschieben und die Unterlagen vorab zu teilen.',
    'Die Änderungen betreffen vor allem die Abschnitte drei und fünf des Vertrags.',
    'Für die Übersetzung habe ich den förmlichen Ton beibehalten.',
    'Bitte prüfen Sie, ob die Frist von vierzehn Tagen für beide Seiten praktikabel ist.',
    'Gerne formuliere ich auch eine kürzere Fassung für die Geschäftsleitung.',
  ],
  [
    'もちろんです。京都で一日だけ過ごすなら、朝は伏見稲荷大社から始めるのがおすすめです。',
    '混雑を避けるため、八時前に到着してください。',
    '昼食には錦市場で軽く食べ歩きを楽しめます。🍡',
    '午後は嵐山の竹林を散策し、渡月橋で夕日を眺めましょう。',
    '移動は一日乗車券を使うと便利です。',
  ],
  [
    'A binary search tree keeps smaller keys on the left and larger keys on the right.',
    'As long as the tree is balanced, lookups take time proportional to its height, which is O(log n).',
    'Inserting sorted data into a plain tree degrades it into a linked list.',
    'Red-black and AVL trees restore the balance with rotations after each insertion or deletion.',
    'For data on disk a B-tree is preferable, because one node fills a whole page.',
    'In an interview, mention the invariant first and the code second.',
    'Would you like to see an implementation in TypeScript?',
  ],
  [
    'The contract renews automatically unless either party gives notice ninety days before the end of the term.',
    'Clause 7.2 limits liability to the fees paid in the preceding twelve months.',
    'Personal data may be processed only within the European Economic Area.',
    'I found no clause about the ownership of fine-tuned model weights; you may want to add one.',
    'The indemnity in clause 9 is one-sided in favor of the supplier.',
    'This is a summary and not legal advice.',
  ],
];

/** A token: up to eight letters of a word, up to three digits, or one other character. English has about four characters a token. */
const TOKEN = / ?[\p{Script=Latin}]{1,8}| ?\d{1,3}|[\s\S]/gu;

/** A text of about `tokens` tokens on one topic; the tokens joined are the text. */
export function answer(random: Random, tokens: number): string[] {
  const topic = random.pick(TOPICS);
  const result: string[] = [];
  while (result.length < tokens) {
    for (const sentence of random.shuffled(topic)) {
      const lead = result.length === 0 ? '' : random.chance(0.2) ? '\n\n' : ' ';
      for (const [token] of `${lead}${sentence}`.matchAll(TOKEN)) result.push(token);
      if (result.length >= tokens) break;
    }
  }
  return result;
}
