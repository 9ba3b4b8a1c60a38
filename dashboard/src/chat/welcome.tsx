// Before the first question: who answers, with which tools, whether their servers are there, and what may be asked.
import type { AgentsAnswer } from '@llm-streamer/shared/api-types.ts';
import { toolWords } from '@llm-streamer/shared/tool-calls.ts';
import { agents, conversation, ownerOf } from '../state/chat-state.ts';
import { counted } from './words.ts';

type Agent = AgentsAnswer['agents'][number];
type ServerState = AgentsAnswer['servers'][number]['state'];

const MARK = { up: '●', down: '✕', unknown: '○' } as const;
const TONE = { up: 'good', down: 'bad', unknown: 'dim' } as const;
const SAID = { up: 'is there', down: 'is away', unknown: 'was not asked yet' } as const;
/** Questions that the tools of the example and of the log itself answer. */
const EXAMPLES: Readonly<Record<string, string>> = {
  listings__findListings: 'Show me 3-bedroom homes in Portland under $900,000',
  analytics__getMarketAnalysis: 'Give me a market analysis for Seattle, WA',
  log__search_entries: 'Which errors are in the log?',
};

interface WelcomeProps {
  onAsk(question: string, agent: string): void;
}

export function Welcome({ onAsk }: WelcomeProps) {
  if (conversation.value !== '')
    return (
      <p class="dim">
        Nothing of this conversation is kept
        {ownerOf(conversation.value) === undefined ? '' : ', or you may not read it'}.
      </p>
    );
  if (!agents.value) return null;
  const { agents: all, servers } = agents.value;
  if (all.length === 0) return <p class="dim">This gateway has no agents.</p>;
  const shown = new Set(all.flatMap(({ tools }) => tools.map(({ name }) => serverOf(name))));
  const others = servers.filter(({ name }) => !shown.has(name));
  return (
    <div class="welcome">
      {all.map((agent) => (
        <AgentCard key={agent.name} agent={agent} onAsk={onAsk} />
      ))}
      {others.map(({ name, state }) => (
        <p key={name}>
          <Dot state={state} /> <bdi>{name}</bdi> <span class="dim">{SAID[state]}</span>
        </p>
      ))}
    </div>
  );
}

function AgentCard({ agent, onAsk }: WelcomeProps & { agent: Agent }) {
  const { name, model, tools } = agent;
  const questions = tools.flatMap((tool) => EXAMPLES[tool.name] ?? []);
  return (
    <section aria-label={name}>
      <p>
        <b>
          <bdi>{name}</bdi>
        </b>{' '}
        <span class="dim">
          <bdi>{model}</bdi>
          {tools.length === 0 && ', without tools'}
        </span>
      </p>
      {[...Map.groupBy(tools, (tool) => serverOf(tool.name))].map(([server, of]) => (
        <details key={server}>
          <summary>
            <Dot state={stateOf(server)} /> <bdi>{server}</bdi>{' '}
            <span class="dim">{counted(of.length, 'tool')}</span>
          </summary>
          <ul class="dim">
            {of.map((tool) => (
              <li key={tool.name} title={tool.description}>
                <bdi>{toolWords(tool.name)}</bdi>
                {tool.approval !== 'never' && ' (asks you first)'}
              </li>
            ))}
          </ul>
        </details>
      ))}
      {questions.map((question) => (
        <button key={question} type="button" class="example" onClick={() => onAsk(question, name)}>
          {question}
        </button>
      ))}
    </section>
  );
}

export function Dot({ state }: { state: ServerState }) {
  return (
    <>
      <span class={TONE[state]} title={SAID[state]} aria-hidden="true">
        {MARK[state]}
      </span>
      <span class="visually-hidden">{SAID[state]}:</span>
    </>
  );
}

function serverOf(tool: string): string {
  return tool.split('__', 1)[0] ?? '';
}

function stateOf(server: string): ServerState {
  return agents.value?.servers.find(({ name }) => name === server)?.state ?? 'unknown';
}
