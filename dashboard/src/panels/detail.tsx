// The detail of the entry under the cursor: its full message, its fields as a tree, and actions on it.

import type { ComponentChildren } from 'preact';
import type { Cursor } from '../cursor.ts';
import type { HistoryNavigator } from '../history/history-navigator.ts';
import type { Fold } from '../log/fold.ts';
import { quoted } from '../log/quoted.ts';
import { LEVEL_TEXT } from '../log/row-node.ts';
import { spansOf } from '../log/text.ts';
import { duration, iso } from '../log/time.ts';
import { opened, sincePrevious, unfolded, updateView, viewState } from '../state/store.ts';
import { LOG_ALONE } from '../state/view-state.ts';
import '../../styles/detail.css';
import { runKeyOf } from '../state/run-key.ts';
import { copyText } from './copy.ts';

const AROUND_MS = 5_000;
/** Longer messages are cut here; copying copies all of them. */
const SHOWN_CHARS = 50_000;
const MAX_DEPTH = 12;
const MAX_CHILDREN = 500;
/** Of the entries of a fold these many are shown: the first, and the last ones. */
const MAX_FOLDED = 8;

interface DetailProps {
  cursor: Pick<Cursor, 'close' | 'keyOf' | 'toggleFold'>;
  history: Pick<HistoryNavigator, 'showRange'>;
}

export function Detail({ cursor, history }: DetailProps) {
  const item = opened.value;
  if (!item) return null;
  const row = item.kind === 'fold' ? item.shown : item;
  const said = item.kind === 'fold' ? item.said : '';
  const text = said === '' ? row.msg : said;
  const isOpen = item.kind === 'entry' && unfolded.value.has(cursor.keyOf(item));
  const shown = text.length > SHOWN_CHARS ? text.slice(0, SHOWN_CHARS) : text;
  const since = sincePrevious.value;
  const timeline = runKeyOf(row);
  const link = new URL(location.href);
  if (row.id !== undefined) link.searchParams.set('at', row.id);
  return (
    <>
      <div class="actions">
        <b class={`l${row.level}`}>
          <span class="lvl">{LEVEL_TEXT[row.level]}</span>
        </b>
        <span>{iso(row.time)}</span>
        {since !== undefined && !Number.isNaN(since) && (
          <span class="dim" title="since the entry before it in the view">
            {since < 0 ? '−' : '+'}
            {duration(Math.abs(since))}
          </span>
        )}
        <span class="spacer-x" />
        <Action onClick={() => (said === '' ? copyText(row.raw, 'entry') : copyText(said, 'text'))}>
          {said === '' ? 'copy JSON' : 'copy text'}
        </Action>
        {row.id !== undefined && <Action onClick={() => copyText(link.href, 'link')}>copy link</Action>}
        <Action onClick={() => toggleTerm(`source:${quoted(row.source)}`)}>only this source</Action>
        {row.run !== undefined && (
          <Action onClick={() => toggleTerm(`run:${quoted(row.run ?? '')}`)}>only this run</Action>
        )}
        {timeline !== undefined && (
          <Action onClick={() => updateView({ ...LOG_ALONE, timeline }, 'replace')}>timeline</Action>
        )}
        <Action onClick={() => updateView({ channels: [row.channel] })}>only this channel</Action>
        <Action onClick={() => history.showRange(row.time - AROUND_MS, row.time + AROUND_MS, row)}>
          around this ±5 s
        </Action>
        {item.kind === 'fold' && (
          <Action onClick={() => cursor.toggleFold()}>
            show {item.rows.length === 1 ? 'its entry' : `its ${item.rows.length} entries`} (x)
          </Action>
        )}
        {isOpen && <Action onClick={() => cursor.toggleFold()}>fold (x)</Action>}
        <button type="button" aria-label="Close detail" onClick={() => cursor.close()}>
          ✕
        </button>
      </div>
      <section
        class="fields"
        aria-label="Fields"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: an area that scrolls must be reachable, and handles the keys that scroll it
        tabIndex={0}
        onKeyDown={(event) => /^(Arrow|Page)/.test(event.key) && event.stopPropagation()}
      >
        <p class="whole">
          {spansOf(shown, SHOWN_CHARS, true).map((span, i) => (
            <span key={i} class={span.style}>
              {span.text}
            </span>
          ))}
          {shown.length < text.length && (
            <span class="warn">
              {' '}
              … {(text.length - shown.length).toLocaleString('en')} more characters; copy has all
            </span>
          )}
        </p>
        {item.kind === 'fold' ? (
          <Folded fold={item} />
        ) : (
          <Tree value={withoutMessage(row.json())} depth={0} />
        )}
      </section>
    </>
  );
}

/** What is folded into one row: how much it is, and its entries, but not each piece of a text. */
function Folded({ fold }: { fold: Fold }) {
  const { rows } = fold;
  const others = rows.filter(({ tokens }) => tokens === 0);
  const told = others.length > 0 ? others : rows.slice(0, 1);
  const shown = told.length > MAX_FOLDED ? [...told.slice(0, 1), ...told.slice(1 - MAX_FOLDED)] : told;
  return (
    <>
      <p class="dim">
        {rows.length.toLocaleString('en')} {rows.length === 1 ? 'entry' : 'entries'}
        {fold.figures}
        {shown.length < rows.length && ' (not all are shown here)'}
      </p>
      {shown.map((row) => (
        <Tree key={row.id ?? row.at} value={row.json()} depth={0} />
      ))}
    </>
  );
}

function Action({ onClick, children }: { onClick: () => void; children: ComponentChildren }) {
  return (
    <button type="button" onClick={onClick}>
      {children}
    </button>
  );
}

function Tree({ value, depth }: { value: unknown; depth: number }) {
  if (typeof value !== 'object' || value === null) return <Leaf value={value} />;
  if (depth > MAX_DEPTH) return <span class="dim">…</span>;
  const all = Object.entries(value);
  const entries = all.slice(0, MAX_CHILDREN);
  return (
    <ul>
      {entries.map(([name, child]) => (
        <li key={name}>
          {typeof child === 'object' && child !== null ? (
            <details open={depth < 4}>
              <summary>
                <span class="name">{visible(name)}</span>
              </summary>
              <Tree value={child} depth={depth + 1} />
            </details>
          ) : (
            <>
              <span class="name">{visible(name)}</span> <Leaf value={child} />
            </>
          )}
        </li>
      ))}
      {all.length > entries.length && <li class="dim">… {all.length - entries.length} more</li>}
    </ul>
  );
}

function Leaf({ value }: { value: unknown }) {
  // A text of several lines, such as a stack trace, keeps its lines, whatever the attribute is called.
  if (typeof value === 'string' && value.includes('\n'))
    return <pre class="leaf lines">{visible(value.trimEnd(), SHOWN_CHARS, true)}</pre>;
  const text = typeof value === 'string' ? visible(value) : String(value);
  return <span class={`leaf ${typeof value}`}>{text}</span>;
}

function visible(text: string, limit = 2_000, lines = false): string {
  return spansOf(text, limit, lines)
    .map((span) => span.text)
    .join('');
}

function withoutMessage({ msg: _msg, ...rest }: Record<string, unknown>): Record<string, unknown> {
  return rest;
}

/** Adds a condition to the filter, or removes it when it is there. */
function toggleTerm(term: string): void {
  const terms = viewState.value.q;
  const has = ` ${terms} `.includes(` ${term} `);
  updateView({ q: (has ? ` ${terms} `.replace(` ${term} `, ' ') : `${terms} ${term}`).trim() });
}
