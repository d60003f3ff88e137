// The keyboard: single keys go to pages and act on the page in view. They are dead while something is typed, and can be turned off.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Dialog } from '../parts/dialog.js';
import { go } from '../url/address.js';
import { runKey } from '../url/keys.js';
import { togglePause } from './header.js';

const OFF = 'extreg-keys-off';
const GO_MS = 1500;
const DESTINATIONS: Readonly<Record<string, string>> = {
  o: '/',
  e: '/ui/events',
  a: '/ui/audit',
  i: '/ui/inspect',
};

export const isHelpOpen = signal(false);
const isOff = signal(localStorage.getItem(OFF) === '1');

/** Where a key is a character, or has a meaning of its own. */
const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('input, textarea, select, [contenteditable], dialog') !== null;

/** Space is what presses it. */
const isPressed = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('button, summary, [role="button"]') !== null;

export function useKeys(): void {
  useEffect(() => {
    let goingSince = Number.NEGATIVE_INFINITY;
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isOff.value) return;
      if (isTyping(event.target) || (event.key === ' ' && isPressed(event.target))) return;
      const destination = event.timeStamp - goingSince < GO_MS ? DESTINATIONS[event.key] : undefined;
      goingSince = event.key === 'g' ? event.timeStamp : Number.NEGATIVE_INFINITY;
      if (destination !== undefined) go(destination);
      else if (event.key === '?') isHelpOpen.value = true;
      else if (event.key === 'p') togglePause();
      else if (!runKey(event.key)) return;
      event.preventDefault();
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, []);
}

const KEYS = [
  ['/', 'search'],
  ['j, k or arrows', 'next and previous row'],
  ['Enter', 'open the row'],
  ['.', 'actions of the row'],
  ['s', 'sort now'],
  ['p', 'hold the numbers, and go on'],
  ['g o, g e, g a, g i', 'overview, events, audit, inspect'],
  ['[ and ], Home, End', 'in a log: step, first, last'],
  ['Space', 'in a log: hold it'],
  ['?', 'this list'],
  ['Esc', 'close'],
] as const;

export function KeyHelp() {
  if (!isHelpOpen.value) return null;
  const close = () => {
    isHelpOpen.value = false;
  };
  return (
    <Dialog title="Keys" onClose={close}>
      <dl class="keys">
        {KEYS.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label>
        <input
          type="checkbox"
          checked={!isOff.value}
          onChange={({ currentTarget }) => {
            isOff.value = !currentTarget.checked;
            if (isOff.value) localStorage.setItem(OFF, '1');
            else localStorage.removeItem(OFF);
          }}
        />{' '}
        Single keys act
      </label>
      <p class="dim">
        <a href="/assets/LICENSES.txt" target="_blank" rel="noopener">
          Licences
        </a>
      </p>
      <p class="dialog-buttons">
        <button type="button" data-first onClick={close}>
          Close
        </button>
      </p>
    </Dialog>
  );
}
