// Where an answer's time and tokens went: a bar for each step of the model and each call of a tool.
import { toolWords } from '@llm-streamer/shared/tool-calls.ts';
import { useState } from 'preact/hooks';
import { duration } from '../log/time.ts';
import type { Answer } from '../state/answer.ts';
import { counted } from './words.ts';

interface WaterfallProps {
  answer: Answer;
  now: number;
  /** How long the answer takes. */
  summary: string;
}

interface Bar {
  key: string;
  name: string;
  from: number;
  to: number;
  tokens: string;
}

export function Waterfall({ answer, now, summary }: WaterfallProps) {
  const [isOpen, setOpen] = useState(false);
  const { steps, calls, usage, started, ended } = answer;
  const until = Math.max(ended || now, started + 1);
  const bars: Bar[] = [
    ...steps.map((step) => ({
      key: `step ${step.number}`,
      name: `step ${step.number}`,
      from: step.started,
      to: step.ended || until,
      tokens: `${step.inputTokens} in, ${step.ended > 0 ? '' : '~'}${step.outputTokens} out`,
    })),
    ...calls
      .filter(({ called }) => called > 0)
      .map(({ id, tool, called, duration_s }) => ({
        key: id,
        name: toolWords(tool),
        from: called,
        to: duration_s === undefined ? until : called + duration_s * 1000,
        tokens: '',
      })),
  ].sort((a, b) => a.from - b.from);
  const place = (at: number) => Math.min(100, Math.max(0, ((at - started) / (until - started)) * 100));
  const used = usage && `${usage.isEstimate ? '~' : ''}${usage.input} in, ${usage.output} out`;
  return (
    <details class="waterfall" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary class="dim">
        {answer.agent !== '' && (
          <>
            <bdi>{answer.agent}</bdi> ·{' '}
          </>
        )}
        {summary}
        {used && ` · ${used}`} · {counted(steps.length, 'step')}
      </summary>
      {isOpen && (
        <ul>
          {bars.map(({ key, name, from, to, tokens }) => (
            <li key={key}>
              <bdi>{name}</bdi>
              <span class="track" aria-hidden="true">
                <i style={{ left: `${place(from)}%`, width: `${Math.max(1, place(to) - place(from))}%` }} />
              </span>
              <span>{duration(Math.max(0, to - from))}</span>
              <span class="dim">{tokens}</span>
            </li>
          ))}
        </ul>
      )}
    </details>
  );
}
