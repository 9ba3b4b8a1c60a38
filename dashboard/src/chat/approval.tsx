// Asks the owner of a run whether a call may be made. What it shows comes from the log, so every tab asks the same, and stops asking
// when one of them was answered.
import { MAX_REASON, type ToolCallSnapshot, toolWords } from '@llm-streamer/shared/tool-calls.ts';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { duration } from '../log/time.ts';
import type { CallActions } from './call-actions.ts';
import { readable } from './readable.ts';
import { scrolling } from './scrolling.ts';

interface ApprovalProps {
  call: ToolCallSnapshot;
  actions: CallActions;
  now: number;
}

export function Approval({ call, actions, now }: ApprovalProps) {
  const box = useRef<HTMLFieldSetElement>(null);
  const [reason, setReason] = useState('');
  // Who has decided by keys goes on at the call; without this the focus would be lost with the button.
  useLayoutEffect(() => {
    const asked = box.current;
    return () => {
      if (asked?.contains(document.activeElement)) asked.parentElement?.querySelector('summary')?.focus();
    };
  }, []);
  const { id, tool, args, approval } = call;
  const left = (approval?.expires ?? 0) - now;
  const name = toolWords(tool);
  return (
    <fieldset ref={box} class="approval">
      <legend>
        <b class="warn">May the agent do this?</b> <bdi title={tool}>{name}</bdi>
      </legend>
      {approval?.reason === 'untrusted' && (
        <p class="warn">What an untrusted tool has said may have led to this call.</p>
      )}
      <pre {...scrolling(`arguments of ${name}`)}>{readable(args)}</pre>
      {actions.mayDecide ? (
        <div class="line">
          <button type="button" class="good" onClick={() => actions.decide(id, true)}>
            Approve
          </button>
          <button type="button" class="bad" onClick={() => actions.decide(id, false, reason.trim())}>
            Deny
          </button>
          <input
            aria-label="Why not: the model is told"
            placeholder="why not (the model is told)"
            maxLength={MAX_REASON}
            value={reason}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
          <span class="dim">{left > 0 ? `${duration(left)} left` : 'time is up'}</span>
        </div>
      ) : (
        <p class="dim">Only the owner of the run may decide.</p>
      )}
    </fieldset>
  );
}
