// Shows one lane of a run, which is one model call: its state, time to the first token, speed, tokens and text.
import type { LaneSnapshot } from '@llm-streamer/shared/run.ts';
import { useEffect, useRef } from 'preact/hooks';
import { duration } from '../log/time.ts';

const MARK = { waiting: '·', streaming: '▸', finished: '✓', failed: '✕', stopped: '■' } as const;
const TONE = { waiting: 'dim', streaming: 'warn', finished: 'good', failed: 'bad', stopped: 'dim' } as const;
/** A reader within this many px of the end follows the text as it grows. */
const NEAR_END = 40;

export function Lane({ lane, now }: { lane: LaneSnapshot; now: number }) {
  const text = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    const box = text.current;
    if (box && follows.current && lane.state === 'streaming') box.scrollTop = box.scrollHeight;
  });
  const isThinking = lane.state === 'streaming' && lane.text === '';
  return (
    <article class={`lane ${lane.state}`} aria-label={lane.lane}>
      <header>
        <b class={TONE[lane.state]} title={lane.state}>
          <span aria-hidden="true">{MARK[lane.state]}</span> {lane.lane}
        </b>
        <span class="dim model" title={`${lane.provider} · ${lane.model}`}>
          {lane.provider === 'simulated' ? 'simulated' : lane.model}
        </span>
        <span class="spacer-x" />
        <span class="state">
          {isThinking ? <Thinking /> : lane.state}
          {lane.cut && <span class="warn"> · cut off</span>}
        </span>
      </header>
      <Figures lane={lane} now={now} />
      <div
        class="said"
        ref={text}
        onScroll={({ currentTarget: box }) => {
          follows.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END;
        }}
      >
        {lane.reasoning !== '' &&
          (lane.text === '' ? (
            <p class="reasoning">{lane.reasoning}</p>
          ) : (
            <details>
              <summary class="dim">reasoning</summary>
              <p class="reasoning">{lane.reasoning}</p>
            </details>
          ))}
        {lane.text}
        {lane.cut && <p class="warn why">The model reached its limit of tokens: the end is missing.</p>}
        {lane.error && (
          <p class="bad why">
            {lane.error.message} <span class="dim">{lane.error.code}</span>
            {lane.text !== '' && ' What came before it is kept.'}
          </p>
        )}
      </div>
    </article>
  );
}

function Thinking() {
  return (
    <span class="thinking warn">
      thinking
      <i aria-hidden="true">…</i>
    </span>
  );
}

/** Shows `—` until a figure is known, so that nothing moves when it appears. */
function Figures({ lane, now }: { lane: LaneSnapshot; now: number }) {
  const { started, firstContent, ended, outputTokens } = lane;
  const until = ended || now;
  const streamed = firstContent > 0 ? Math.max(until - firstContent, 1) : 0;
  return (
    <dl class="figures">
      <Figure name="elapsed" value={started > 0 ? duration(Math.max(0, until - started)) : '—'} />
      <Figure name="first token" value={firstContent > 0 ? duration(firstContent - started) : '—'} />
      <Figure name="tok/s" value={streamed > 100 ? `${Math.round((outputTokens / streamed) * 1000)}` : '—'} />
      <Figure name="tokens" value={outputTokens > 0 ? `${ended > 0 ? '' : '~'}${outputTokens}` : '—'} />
    </dl>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt class="dim">{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
