// The help: a dialog with the keys and examples of the filter's language.
import { useEffect, useRef } from 'preact/hooks';
import { KEYS } from '../keys.ts';
import { helpOpen, updateView, viewState } from '../state/store.ts';
import '../../styles/dialog.css';

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = helpOpen.value;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  return (
    <dialog
      ref={dialog}
      aria-label="Keys"
      onClose={() => {
        helpOpen.value = false;
      }}
    >
      <h2>Keys</h2>
      <dl>
        {KEYS.filter(({ isFor }) => isFor?.() !== false).map(({ keys, what }) => (
          <div key={keys}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key.replace('Arrow', '').replace('Escape', 'Esc')}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label>
        <input
          type="checkbox"
          checked={viewState.value.keys}
          onChange={(event) => updateView({ keys: event.currentTarget.checked }, 'replace')}
        />{' '}
        single-key shortcuts
      </label>
      <h2>Filter</h2>
      <p class="dim">Enter filters, Alt+Enter only highlights; all terms must hold.</p>
      <pre>{`timeout "first token" -heartbeat /4\\d\\d|5\\d\\d/
level:warn+ source:gpu-* channel:logs:* run:r7f
output_tokens>800 ttft>500 error.type:rate_limit`}</pre>
      <form method="dialog">
        <button type="submit">close</button>
      </form>
    </dialog>
  );
}
