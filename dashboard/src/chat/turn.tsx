// A question and its answer: what the model says, its calls between, and under it how the answer ended, how long it took and what it used.
import { RUN_PREFIX } from '@llm-streamer/shared/channels.ts';
import { Component, createRef } from 'preact';
import { copyText } from '../panels/copy.ts';
import { type Answer, finalText, type Step } from '../state/answer.ts';
import { filterLog, mayStop, unfilterLog } from '../state/run-state.ts';
import { updateView } from '../state/store.ts';
import type { CallActions } from './call-actions.ts';
import { Calls } from './calls.tsx';
import { inFront } from './in-front.ts';
import { Markdown } from './markdown/markdown.tsx';
import { Waterfall } from './waterfall.tsx';
import { elapsed, isWaiting, stateWords } from './words.ts';

export interface TurnProps {
  answer: Answer;
  /** The gateway's time while the answer grows; else 0, so that nothing is drawn anew. */
  now: number;
  /** Whether the log shows this run alone. */
  isInLog: boolean;
  /** It has come into view. */
  onSeen(channel: string): void;
  onStop(answer: Answer): void;
  /** The reader wants to change the question; undefined if he may not. */
  onEdit: ((answer: Answer) => void) | undefined;
  onDecide(answer: Answer, approval: string, approved: boolean, reason?: string): void;
  onOpenInLog(answer: Answer, call: string): void;
}

export class Turn extends Component<TurnProps> {
  readonly #host = createRef<HTMLElement>();
  #observer: IntersectionObserver | undefined;

  override componentDidMount(): void {
    this.#observer = new IntersectionObserver((seen) => {
      if (seen.some(({ isIntersecting }) => isIntersecting)) this.props.onSeen(this.props.answer.channel);
    });
    if (this.#host.current) this.#observer.observe(this.#host.current);
  }

  override componentWillUnmount(): void {
    this.#observer?.disconnect();
  }

  /** A long conversation is not compared anew with each word of its last answer. */
  override shouldComponentUpdate({ answer, now, isInLog }: TurnProps): boolean {
    return answer !== this.props.answer || now !== this.props.now || isInLog !== this.props.isInLog;
  }

  override render({ answer, now, onEdit, onDecide, onOpenInLog }: TurnProps) {
    const { question, state, steps, calls, channel, unverified } = answer;
    const isRunning = state === 'running';
    const actions: CallActions = {
      mayDecide: mayStop(channel),
      decide: (approval, approved, reason) => onDecide(answer, approval, approved, reason),
      openInLog: (call) => onOpenInLog(answer, call),
    };
    const early = calls.filter(({ step }) => !steps.some(({ number }) => number === step));
    return (
      <article
        ref={this.#host}
        class={`turn ${state}`}
        aria-busy={isRunning}
        aria-label={question?.slice(0, 80) ?? 'a question'}
      >
        <div class="question">
          {question === undefined ? (
            <span class="dim">{isRunning ? '…' : 'the question is no longer kept'}</span>
          ) : (
            <>
              <p dir="auto">{question}</p>
              {answer.replaces !== undefined && (
                <button
                  type="button"
                  class="dim"
                  title="the log of the first one"
                  onClick={() => filterLog(siblingOf(channel, answer.replaces), inFront())}
                >
                  edited
                </button>
              )}
              {onEdit && (
                <button
                  type="button"
                  title="change it: the conversation goes on from here"
                  onClick={() => onEdit(answer)}
                >
                  edit
                </button>
              )}
            </>
          )}
        </div>
        {answer.isTrimmed && <p class="warn">The beginning of the answer is no longer kept.</p>}
        {steps.map((step, i) => (
          <div key={step.number} class="step">
            <Said step={step} isGrowing={isRunning && i === steps.length - 1} />
            {calls.some((call) => call.step === step.number) && (
              <Calls
                calls={calls.filter((call) => call.step === step.number)}
                actions={actions}
                now={now}
                isRunning={isRunning}
                unverified={unverified}
              />
            )}
          </div>
        ))}
        {early.length > 0 && (
          <Calls calls={early} actions={actions} now={now} isRunning={isRunning} unverified={unverified} />
        )}
        {isRunning && <Doing answer={answer} />}
        {answer.error && (
          <p class={state === 'cancelled' ? 'dim' : 'bad'}>
            {answer.error.message} {state !== 'cancelled' && <span class="dim">{answer.error.code}</span>}
          </p>
        )}
        {this.#foot(this.props)}
      </article>
    );
  }

  #foot({ answer, now, isInLog, onStop }: TurnProps) {
    const { state, channel, started, limit } = answer;
    const text = finalText(answer);
    return (
      <div class="foot">
        {started > 0 && <Waterfall answer={answer} now={now} summary={elapsed(answer, now)} />}
        {limit !== undefined && <span class="warn">{stateWords(answer)}</span>}
        <span class="spacer-x" />
        {state !== 'running' && text !== '' && (
          <button type="button" onClick={() => copyText(text, 'answer')}>
            copy
          </button>
        )}
        <button
          type="button"
          aria-pressed={isInLog}
          title="filter the log to this answer"
          onClick={() => (isInLog ? unfilterLog() : filterLog(channel, inFront()))}
        >
          in log
        </button>
        <button
          type="button"
          title="where its time went"
          onClick={() => updateView({ ...inFront(), timeline: channel.slice(RUN_PREFIX.length) }, 'replace')}
        >
          timeline
        </button>
        {state === 'running' && mayStop(channel) && (
          <button type="button" class="bad" onClick={() => onStop(answer)}>
            ■ Stop
          </button>
        )}
      </div>
    );
  }
}

/** The channel of another run of the same owner. */
function siblingOf(channel: string, id = ''): string {
  return channel.replace(/[^/:]+$/, id);
}

function Said({ step, isGrowing }: { step: Step; isGrowing: boolean }) {
  const { text, reasoning, cut } = step;
  return (
    <>
      {reasoning !== '' && (
        <details class="reasoning" open={isGrowing && text === ''}>
          <summary class="dim">reasoning</summary>
          <p>{reasoning}</p>
        </details>
      )}
      {text !== '' && <Markdown text={text} />}
      {cut && <p class="warn">The model reached its limit of tokens: the end is missing.</p>}
    </>
  );
}

/** What goes on while no text comes. */
function Doing({ answer }: { answer: Answer }) {
  const words = stateWords(answer);
  if (words === 'answers' || answer.calls.some(isWaiting)) return null;
  return (
    <p class="doing warn">
      {words}
      <i aria-hidden="true">…</i>
    </p>
  );
}
