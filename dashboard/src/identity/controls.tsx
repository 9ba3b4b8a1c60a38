// What the panels of people and keys are made of: a button that asks once more, an action with its failure, a secret shown once,
// and rights in words.
import type { GrantsInfo } from '@llm-streamer/shared/api-types.ts';
import { type Signal, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { copyText } from '../panels/copy.ts';

/** Runs an action and shows why it failed. */
export function useAction(): { problem: Signal<string>; run(action: () => Promise<unknown>): void } {
  const problem = useSignal('');
  const run = (action: () => Promise<unknown>) => {
    problem.value = '';
    action().catch((failure: Error) => {
      problem.value = failure.message;
    });
  };
  return { problem, run };
}

export function Problem({ text }: { text: string }) {
  return text === '' ? null : (
    <p class="bad" role="alert">
      {text}
    </p>
  );
}

/** The first press asks, the second acts; leaving the button takes the question back. */
export function ConfirmButton({
  onConfirmed,
  label,
  children,
}: {
  onConfirmed(): void;
  label: string;
  children: ComponentChildren;
}) {
  const isAsking = useSignal(false);
  return (
    <button
      type="button"
      class={isAsking.value ? 'bad' : ''}
      aria-label={isAsking.value ? `really ${label}` : label}
      onBlur={() => {
        isAsking.value = false;
      }}
      onClick={() => {
        if (isAsking.value) onConfirmed();
        isAsking.value = !isAsking.value;
      }}
    >
      {isAsking.value ? 'sure?' : children}
    </button>
  );
}

/** A key or token: it is shown this once, and never again. So it takes the focus of the form that has made it. */
export function Secret({ what, secret, onDone }: { what: string; secret: string; onDone(): void }) {
  const copy = useRef<HTMLButtonElement>(null);
  useEffect(() => copy.current?.focus(), [secret]);
  return (
    <div class="secret" role="status">
      <p>The {what}, shown this once:</p>
      <code>{secret}</code>
      <div class="row-of">
        <button type="button" ref={copy} onClick={() => copyText(secret, what)}>
          copy
        </button>
        <button type="button" onClick={onDone}>
          I have kept it
        </button>
      </div>
    </div>
  );
}

/** Rights in one line, as in "read logs:*, publish logs:ci*, run". */
export function rightsText({ read, publish, run, metrics, admin }: GrantsInfo): string {
  const words = [
    read.length > 0 ? `read ${read.join(' ')}` : '',
    publish.length > 0 ? `publish ${publish.join(' ')}` : '',
    run ? 'run' : '',
    metrics ? 'metrics' : '',
    admin ? 'admin' : '',
  ];
  return words.filter((word) => word !== '').join(', ') || 'nothing';
}

/** The fields of a form by name; empty where there is none. */
export function fieldsOf(form: HTMLFormElement): (name: string) => string {
  const data = new FormData(form);
  return (name) => String(data.get(name) ?? '').trim();
}

function patternsIn(text: string): string[] {
  return text.split(/[\s,]+/).filter((pattern) => pattern !== '');
}

export function grantsIn(form: HTMLFormElement): GrantsInfo {
  const field = fieldsOf(form);
  return {
    read: patternsIn(field('read')),
    publish: patternsIn(field('publish')),
    run: field('run') !== '',
    metrics: field('metrics') !== '',
    admin: field('admin') !== '',
  };
}

/** Fields for what somebody may do. */
export function GrantFields({ grants, withAdmin = false }: { grants?: GrantsInfo; withAdmin?: boolean }) {
  const flags = withAdmin ? (['run', 'metrics', 'admin'] as const) : (['run', 'metrics'] as const);
  return (
    <>
      <label>
        <span>read</span>
        <input name="read" placeholder="logs:team-a*" autocomplete="off" value={grants?.read.join(' ')} />
      </label>
      <label>
        <span>publish</span>
        <input
          name="publish"
          placeholder="logs:team-a*"
          autocomplete="off"
          value={grants?.publish.join(' ')}
        />
      </label>
      <div class="row-of">
        {flags.map((flag) => (
          <label key={flag} class="flag">
            <input type="checkbox" name={flag} value="1" checked={grants?.[flag]} /> {flag}
          </label>
        ))}
      </div>
    </>
  );
}

export function dayOf(time: number): string {
  return time > 0 ? new Date(time).toISOString().slice(0, 10) : 'never';
}
