import { describe, expect, it } from 'vitest';
import { chooseCalls } from '../../../src/llm/simulator/simulator-tools.ts';

type Properties = Record<string, { type: string; enum?: string[] }>;
const tool = (name: string, description: string, properties: Properties, required: string[] = []) => ({
  function: { name, description, parameters: { properties, required } },
});
const string = { type: 'string' };
const level = { type: 'string', enum: ['debug', 'info', 'warn', 'error', 'fatal'] };
const LOG = [
  tool('logs__list_channels', 'Lists the channels of the log, and when they were last written to.', {
    pattern: string,
  }),
  tool('logs__search_entries', 'Searches the log: the newest entries that pass all filters.', {
    channels: string,
    q: string,
    level,
    source: string,
    run: string,
    since: string,
    limit: { type: 'integer' },
  }),
  tool('logs__get_run', 'Says what became of a run.', { id: string }, ['id']),
];
const REBUILD = tool(
  'jobs__rebuildIndex',
  'Rebuilds the search index. Use it when somebody asks to rebuild.',
  { warehouse: string },
  ['warehouse'],
);
const OTHERS = [
  tool('listings__findListings', 'Finds homes for sale. Without arguments it lists all.', { city: string }),
  tool('crm__readTickets', 'Reads the tickets of a customer.', { customer: string }, ['customer']),
];
const chosen = (question: string, tools: ReturnType<typeof tool>[]) =>
  chooseCalls('sim-1', question, [], tools).calls.map(({ name, arguments: args }) => [
    name.split('__')[1],
    JSON.parse(args),
  ]);

describe('a question about the log', () => {
  it.each([
    ['why did gpu-3 fail last night', ['search_entries', { source: 'gpu-3', level: 'error', since: '14h' }]],
    [
      'Search the entries of the log for errors of source gpu-3',
      ['search_entries', { source: 'gpu-3', level: 'error' }],
    ],
    [
      'Are there warnings of node_7 in the last 30 minutes?',
      ['search_entries', { source: 'node_7', level: 'warn', since: '30m' }],
    ],
    ['Search for "out of memory" since yesterday', ['search_entries', { q: 'out of memory', since: '48h' }]],
    ['What became of run r-17?', ['get_run', { id: 'r-17' }]],
    ['Which channels are there?', ['list_channels', {}]],
  ])('%s', (question, call) => {
    expect(chosen(question, LOG)).toEqual([call]);
  });
});

describe('a text that a tool needs', () => {
  it.each([
    ['after its name', 'Please rebuild the search index of warehouse Alpha', 'Alpha'],
    ['after its name, in small letters', 'rebuild the index of warehouse alpha', 'alpha'],
    ['before its name', 'Rebuild the index of the Beta Two warehouse', 'Two'],
    ['in quotes', 'Rebuild the index "north 4"', 'north 4'],
    ['with a capital', 'Rebuild the index, Gamma Ray is waiting', 'Gamma Ray'],
    ['with a number', 'rebuild the index of wh-12', 'wh-12'],
    ['behind a preposition', 'rebuild the index for alpha', 'alpha'],
  ])('is found %s', (_, question, warehouse) => {
    expect(chosen(question, [...OTHERS, REBUILD])).toEqual([['rebuildIndex', { warehouse }]]);
  });

  it('and is asked for where it is not, instead of calling another tool', () => {
    for (const [question, name, argument] of [
      ['Please rebuild the index', 'jobs__rebuildIndex', 'warehouse'],
      ['Read the tickets of customers', 'crm__readTickets', 'customer'],
    ] as const)
      expect(chooseCalls('sim-1', question, [], [...OTHERS, REBUILD])).toEqual({
        calls: [],
        lacking: { tool: name, arguments: [argument] },
      });
  });

  it('is never the whole of a question that says nothing', () => {
    expect(chosen('hello', [...LOG, ...OTHERS, REBUILD])).toEqual([]);
  });
});

it('numbers, a flag and two texts that a tool needs are found by their kind', () => {
  const move = tool(
    'stock__movePallets',
    'Moves pallets.',
    {
      from_bay: string,
      to_bay: string,
      count: { type: 'integer' },
      urgent: { type: 'boolean' },
    },
    ['from_bay', 'to_bay', 'count', 'urgent'],
  );
  expect(chosen('Move 12 pallets out of "A one" into "B two", it is urgent', [move])).toEqual([
    ['movePallets', { from_bay: 'A one', to_bay: 'B two', count: 12, urgent: true }],
  ]);
});
