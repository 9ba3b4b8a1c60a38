// A test of whether messages arrive: it sends one to each destination of the rules, and says what each has answered.
import type { AlertTestAnswer, Problem } from '@llm-streamer/shared/api-types.ts';
import { useState } from 'preact/hooks';
import { profile } from '../state/identity.ts';

/** Admins may, and where nobody signs in everybody. */
export function mayTest(): boolean {
  const whom = profile.value;
  return whom !== undefined && (whom.auth !== 'on' || whom.grants.admin);
}

const SENDING = 'sending …';

export function TestDestinations() {
  const [said, setSaid] = useState('');
  const isSending = said === SENDING;
  const test = () => {
    setSaid(SENDING);
    testDestinations().then(setSaid).catch(reportError);
  };
  return (
    <p>
      <button type="button" aria-disabled={isSending} onClick={() => isSending || test()}>
        test destinations
      </button>{' '}
      <bdi role="status">{said}</bdi>
    </p>
  );
}

async function testDestinations(): Promise<string> {
  try {
    const url = new URL('api/alerts/test', document.baseURI);
    const response = await fetch(url, { method: 'POST', cache: 'no-store' });
    const { destinations, detail } = (await response.json()) as Partial<AlertTestAnswer & Problem>;
    return destinations?.map(outcome).join(' · ') ?? detail ?? `the gateway answered ${response.status}`;
  } catch {
    return 'the gateway gave no answer that can be read';
  }
}

function outcome({ name, delivered, problem }: AlertTestAnswer['destinations'][number]): string {
  return `${name}: ${delivered ? 'delivered' : (problem ?? 'not delivered')}`;
}
