// The calls of tools of one step, each a line that opens: what was asked of the tool, and what the model got. Several that were made side by side stand
// together. One that needs consent asks for it here.
import { type ToolCallSnapshot, toolWords } from '@llm-streamer/shared/tool-calls.ts';
import { useState } from 'preact/hooks';
import { duration } from '../log/time.ts';
import { Approval } from './approval.tsx';
import type { CallActions } from './call-actions.ts';
import { readable } from './readable.ts';
import { scrolling } from './scrolling.ts';
import { isWaiting } from './words.ts';

const MARK = { waiting: '?', called: '▸', returned: '✓', failed: '✕', refused: '■' } as const;
const TONE = { waiting: 'warn', called: 'warn', returned: 'good', failed: 'bad', refused: 'dim' } as const;
const SAID = {
  waiting: 'waits for consent',
  called: 'is called',
  returned: 'has answered',
  failed: 'has failed',
  refused: 'was not called',
} as const;
/** More of a result is in the log. */
const SHOWN_CHARS = 20_000;

interface CallsProps {
  calls: readonly ToolCallSnapshot[];
  actions: CallActions;
  now: number;
  /** The run goes on. */
  isRunning: boolean;
  unverified: readonly string[];
}

export function Calls({ calls, actions, now, isRunning, unverified }: CallsProps) {
  const lines = calls.map((call) => (
    <li key={call.id}>
      <Call call={call} actions={actions} isRunning={isRunning} isUnverified={unverified.includes(call.id)} />
      {isRunning && isWaiting(call) && <Approval call={call} actions={actions} now={now} />}
    </li>
  ));
  const name = calls.length === 1 ? 'a call of a tool' : `${calls.length} calls side by side`;
  return (
    <ul class={calls.length > 1 ? 'calls many' : 'calls'} aria-label={name}>
      {lines}
    </ul>
  );
}

interface CallProps {
  call: ToolCallSnapshot;
  actions: CallActions;
  isRunning: boolean;
  isUnverified: boolean;
}

function Call({ call, actions, isRunning, isUnverified }: CallProps) {
  const [isOpen, setOpen] = useState(false);
  const { id, tool, state, duration_s, code, approval } = call;
  // A call that never came back is no longer made once its run has ended.
  const isLost = !isRunning && (state === 'called' || state === 'waiting');
  // Who has denied it, and why, is all that there is to say.
  const isDenied = approval?.approved === false && code === 'tool_denied';
  const tone = isLost ? 'dim' : TONE[state];
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span class={tone} aria-hidden="true">
          {isLost ? '·' : MARK[state]}
        </span>{' '}
        <bdi>{toolWords(tool)}</bdi>
        <span class="visually-hidden"> {isLost ? 'has not come back' : SAID[state]}</span>
        {duration_s !== undefined && state !== 'refused' && (
          <span class="dim"> {duration(duration_s * 1000)}</span>
        )}
        {code !== undefined && !isDenied && <span class={tone}> {code}</span>}
        {isUnverified && <span class="warn"> nobody knows whether it had its effect</span>}
        {approval?.approved !== undefined && (
          <span class="dim">
            {' '}
            {approval.approved ? 'approved' : 'denied'}
            {approval.by !== undefined && (
              <>
                {' '}
                by <bdi>{approval.by}</bdi>
              </>
            )}
            {approval.decision_reason !== undefined && (
              <>
                : <bdi>{approval.decision_reason}</bdi>
              </>
            )}
          </span>
        )}
      </summary>
      {isOpen && (
        <div class="inside">
          <Text name="arguments" text={readable(call.args)} />
          {call.result !== undefined && <Text name="result" text={readable(call.result)} />}
          <button type="button" onClick={() => actions.openInLog(id)}>
            open in log
          </button>
        </div>
      )}
    </details>
  );
}

function Text({ name, text }: { name: string; text: string }) {
  return (
    <>
      <span class="dim">{name}</span>
      <pre {...scrolling(name)}>
        {text.slice(0, SHOWN_CHARS)}
        {text.length > SHOWN_CHARS && `\n… ${text.length - SHOWN_CHARS} characters more in the log`}
      </pre>
    </>
  );
}
