// Whatever the expression and the text, the engine takes no more steps than bounds.ts says. Steps are counted, not time.
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { boundedPattern } from '../../src/regex/bounded.ts';
import { ASK_STEPS, FIND_STEPS, MAX_SIZE, MAX_WORK, ROW_STEPS } from '../../src/regex/bounds.ts';
import { Characters } from '../../src/regex/characters.ts';
import { Matcher } from '../../src/regex/matcher.ts';
import { PatternError, rowBudget } from '../../src/regex/pattern.ts';
import { compile, type Machine, type Program } from '../../src/regex/program.ts';
import { type Expression, parse } from '../../src/regex/syntax.ts';
import { CATASTROPHES } from './catastrophes.ts';
import { HOSTILE_TEXTS, hostileExpressions, hostileFlags } from './hostile.ts';

afterEach(() => vi.restoreAllMocks());

/** Each of them once cost seconds for a text, or to be refused. */
const KNOWN = [
  ...CATASTROPHES,
  `(?:${'|'.repeat(900)}){600}x`,
  `(?:${'a|'.repeat(450)}b){4}x`,
  `(?:${'\\b|'.repeat(300)})*x`,
  `${'(?:'.repeat(10)}${`${'|'.repeat(80)})`.repeat(10)}x`,
  `${'(?:a?'.repeat(99)}${')*'.repeat(99)}x`,
  `(?:${'(?:)'.repeat(200)}){90}x`,
  `${'(?=.*b)'.repeat(100)}x`,
  `(?:${'(?<=a.*)'.repeat(50)}a)*x`,
  '(?:(?:(?:(?:){1000}){1000}){1000}){1000}',
  `${'[^é]'.repeat(200)}x`,
  `${'\\s*'.repeat(300)}x`,
];

const examples = KNOWN.flatMap((source) => ['', 'iu'].map((flags): [string, string] => [source, flags]));

/** Holds for every hostile expression that is not refused in words; one that is refused has cost nothing. */
function forHostile(holds: (source: string, flags: string) => void, numRuns: number): void {
  fc.assert(
    fc.property(hostileExpressions, hostileFlags, (source, flags) => {
      try {
        holds(source, flags);
      } catch (error) {
        if (!(error instanceof PatternError)) throw error;
      }
    }),
    { numRuns, examples },
  );
}

/** The states and edges that are really there. */
function sizeOf({ states }: Program): number {
  return states.reduce((sum, state) => {
    if (state.kind === 'fork') return sum + 1 + state.nexts.length;
    return sum + ('next' in state ? 2 : 1);
  }, 0);
}

/** A tree that counts how often the compiler comes to one of its nodes. */
function counted(node: Expression, visits: { count: number }): Expression {
  const copy: Record<string, unknown> = { ...node };
  for (const key of ['parts', 'options'])
    if (Array.isArray(copy[key])) copy[key] = copy[key].map((each: Expression) => counted(each, visits));
  if ('body' in node) copy.body = counted(node.body, visits);
  Object.defineProperty(copy, 'kind', {
    get: () => {
      visits.count++;
      return node.kind;
    },
  });
  return copy as unknown as Expression;
}

describe('the engine', { timeout: 120_000 }, () => {
  it('compiles every hostile expression, or refuses it, within the stated size and work', () => {
    forHostile((source, flags) => {
      const visits = { count: 0 };
      let machine: Machine | undefined;
      try {
        machine = compile(counted(parse(source, flags), visits));
      } finally {
        // Each node is also looked at once to see whether it may be empty.
        expect(visits.count).toBeLessThanOrEqual(MAX_WORK + source.length * 2);
      }
      const programs = [machine, ...machine.looks.map(({ program }) => program)];
      const size = programs.reduce((sum, program) => sum + sizeOf(program), 0);
      expect(size).toBeLessThanOrEqual(machine.size);
      expect(machine.size).toBeLessThanOrEqual(MAX_SIZE);
    }, 1_000);
  });

  it('takes at most as many steps for each position as the program has size', () => {
    forHostile((source, flags) => {
      const machine = compile(parse(source, flags));
      const matcher = new Matcher(machine, /[uv]/.test(flags));
      const asked = () => [...machine.classes].reduce((sum, each) => sum + each.asked, 0);
      const price = machine.size + machine.asking * ASK_STEPS;
      const limit = 100;
      for (const text of HOSTILE_TEXTS) {
        const runs = [
          { run: () => matcher.test(text, limit), positions: limit + 1 },
          { run: () => [...matcher.matches(text, limit, 500)], positions: limit + 1 + 500 },
        ];
        for (const { run, positions } of runs) {
          const before = { steps: matcher.steps, asked: asked() };
          run();
          const steps = matcher.steps - before.steps;
          expect(steps).toBeLessThanOrEqual(machine.size * positions);
          expect(steps + (asked() - before.asked) * ASK_STEPS).toBeLessThanOrEqual(price * positions);
        }
      }
    }, 300);
  });

  it('takes at most the steps of a row for all its texts, and fewer to highlight one', () => {
    const tests = vi.spyOn(Matcher.prototype, 'test');
    const finds = vi.spyOn(Matcher.prototype, 'matches');
    const steps = () => {
      const matchers = new Set([...tests.mock.contexts, ...finds.mock.contexts] as Matcher[]);
      return [...matchers].reduce((sum, matcher) => sum + matcher.steps, 0);
    };
    let taken = 0;
    forHostile((source, flags) => {
      tests.mockClear();
      finds.mockClear();
      const pattern = boundedPattern(source, flags);
      const budget = rowBudget();
      for (const text of HOSTILE_TEXTS) pattern.test(text, budget);
      expect(budget.steps).toBeGreaterThanOrEqual(0);
      const inRow = steps();
      expect(inRow).toBeLessThanOrEqual(ROW_STEPS);
      taken = Math.max(taken, inRow);
      for (const text of HOSTILE_TEXTS) {
        const before = steps();
        pattern.find(text);
        expect(steps() - before).toBeLessThanOrEqual(FIND_STEPS);
      }
    }, 100);
    expect(taken).toBeGreaterThan(ROW_STEPS / 2); // the steps are really counted
  });
});

describe('a class', () => {
  it('matches beyond ASCII what JavaScript’s engine matches', () => {
    const codes = [0x80, 0xa0, 0xb5, 0xdf, 0xe9, 0x130, 0x131, 0x17f, 0x2028, 0x2029, 0x212a, 0xd800, 0xfeff];
    const sources = [
      'a',
      'k',
      'S',
      '.',
      '\\w',
      '\\W',
      '\\d',
      '\\D',
      '\\s',
      '\\S',
      '[^a]',
      '[a-z]',
      '[^\\w-]',
      '[k\\W]',
      '[^k]',
    ];
    sources.push(
      'é',
      '[é]',
      '[^é]',
      '[\\s\\S]',
      '\\u00e9',
      '\\xe9',
      '[^\\x00]',
      '\\.',
      '\\/',
      '[\\]]',
      '[]',
      '[^]',
      '\\0',
      '[\\b]',
    );
    for (const source of sources)
      for (const flags of ['', 'i', 's', 'u', 'iu', 'v', 'iv']) {
        let pattern: RegExp;
        try {
          pattern = new RegExp(`^${source}$`, flags);
        } catch {
          continue; // not allowed with these flags
        }
        const characters = new Characters(source, flags);
        for (const code of codes)
          expect([source, flags, code, characters.has(code)]).toEqual([
            source,
            flags,
            code,
            pattern.test(String.fromCodePoint(code)),
          ]);
      }
  });
});
