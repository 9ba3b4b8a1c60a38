// The columns of the fleet: what each shows of a row, by what it sorts, and which lines are behind it.
import { sparkline } from '../charts/sparkline.ts';
import { quoted } from '../log/quoted.ts';
import { figure, seconds, UNKNOWN, visible, wholeSeconds } from '../pictures/words.ts';
import { MAX_MODEL } from './generations.ts';
import type { FleetRow } from './model.ts';
import { SPARK_BAR_SECONDS } from './source.ts';

const METER = 5;

export interface Column {
  key: string;
  title: string;
  hint: string;
  text(row: FleetRow): string;
  /** The class of the cell: a tone, or nothing. */
  tone?(row: FleetRow): string;
  /** Whether it sorts by name, the first first; otherwise by a number, the greatest first. */
  isName?: true;
  /** Whether its text is what a source says, and no figure. */
  isForeign?: true;
  /** Undefined is sorted last, whatever the direction. Absent where the column does not sort. */
  value?(row: FleetRow): number | string | undefined;
  /** Terms of the filter that finds the lines behind the cell, besides the source. */
  behind(row: FleetRow): string;
}

const NUMBERS = 'event:server.metrics';
const GENERATIONS = 'event:generation.*';

/** Terms that find the entries behind times to the first token; `areSaid` is whether all of them are in entries. */
export function firstTokensBehind(areSaid: boolean): string {
  return areSaid ? 'ttft>=0' : GENERATIONS;
}

export const COLUMNS: readonly Column[] = [
  {
    key: 'source',
    isForeign: true,
    title: 'source',
    hint: 'who writes; ○ has gone silent',
    text: ({ source, isSilent }) => `${isSilent ? '○' : '●'} ${visible(source)}`,
    tone: ({ trouble }) => trouble.tone,
    isName: true,
    value: ({ source }) => source,
    behind: () => '',
  },
  {
    key: 'model',
    isForeign: true,
    title: 'model',
    hint: 'the model that it named last',
    text: ({ model }) => (model === undefined ? UNKNOWN : visible(model.slice(model.lastIndexOf('/') + 1))),
    isName: true,
    value: ({ model }) => model,
    // A name that is cut finds nothing.
    behind: ({ model = '' }) => (model === '' || model.length >= MAX_MODEL ? '' : `model:${quoted(model)}`),
  },
  {
    key: 'running',
    title: 'run',
    hint: 'generations that run',
    text: ({ running }) => figure(running),
    value: ({ running }) => running,
    behind: ({ reported }) => (reported.running ? NUMBERS : GENERATIONS),
  },
  {
    key: 'queued',
    title: 'queue',
    hint: 'requests that wait',
    text: ({ queued }) => figure(queued),
    tone: ({ trouble }) => (trouble.isQueued ? 'warn' : ''),
    value: ({ queued }) => queued,
    behind: () => NUMBERS,
  },
  {
    key: 'tokens',
    title: 'tok/s',
    hint: 'tokens per second, of the last five',
    text: ({ tokensPerSecond }) => figure(tokensPerSecond),
    value: ({ tokensPerSecond }) => tokensPerSecond,
    behind: ({ reported }) => (reported.tokensPerSecond ? NUMBERS : GENERATIONS),
  },
  {
    key: 'spark',
    title: '2 min',
    hint: `tokens per second of two minutes, a bar for ${SPARK_BAR_SECONDS} s; the highest is the row’s own`,
    text: ({ spark }) => (spark.every(Number.isNaN) ? UNKNOWN : sparkline(spark)),
    behind: ({ reported }) => (reported.tokensPerSecond ? NUMBERS : GENERATIONS),
  },
  {
    key: 'ttft',
    title: 'first p50 / p95',
    hint: 'seconds to the first token, p50 / p95 of 15 minutes; ▲ is out of its own range, or far above the others',
    text: ({ firstToken, trouble }) =>
      firstToken
        ? `${seconds(firstToken.p50)} / ${seconds(firstToken.p95)} s${trouble.isSlow ? ' ▲' : ''}`
        : UNKNOWN,
    tone: ({ trouble }) => (trouble.isSlow ? 'warn' : ''),
    value: ({ firstToken }) => firstToken?.p95,
    behind: ({ reported }) => firstTokensBehind(reported.firstToken),
  },
  {
    key: 'kv',
    title: 'kv cache',
    hint: 'use of the KV cache',
    text: ({ kvCache }) => (kvCache === undefined ? UNKNOWN : `${percent(kvCache)} ${meter(kvCache)}`),
    tone: ({ trouble }) => (trouble.isFull ? 'warn' : ''),
    value: ({ kvCache }) => kvCache,
    behind: () => NUMBERS,
  },
  {
    key: 'errors',
    title: 'err/5m',
    hint: 'errors of five minutes',
    text: ({ errors }) => figure(errors),
    tone: ({ errors }) => (errors > 0 ? 'bad' : 'dim'),
    value: ({ errors }) => errors,
    behind: () => 'level:error+',
  },
  {
    key: 'last',
    isForeign: true,
    title: 'last line',
    hint: 'what is wrong, and the last line',
    text: ({ last }) => (last ? visible(last.msg) : UNKNOWN),
    tone: ({ last }) => (last && last.level >= 4 ? 'bad' : last?.level === 3 ? 'warn' : ''),
    behind: () => '',
  },
  {
    key: 'age',
    title: 'age',
    hint: 'since its last sign of life',
    text: ({ age }) => ageText(age),
    tone: ({ isSilent }) => (isSilent ? 'bad' : 'dim'),
    value: ({ age }) => age,
    behind: () => '',
  },
];

function percent(share: number): string {
  return `${Math.round(share * 100)}%`.padStart(4);
}

function meter(share: number): string {
  const filled = Math.max(0, Math.min(METER, Math.round(share * METER)));
  return '█'.repeat(filled) + '░'.repeat(METER - filled);
}

function ageText(ms: number): string {
  return ms < 1_500 ? 'now' : wholeSeconds(ms).replace(/\d\ds$/, '');
}
