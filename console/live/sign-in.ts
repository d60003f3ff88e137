// Signing in with the code of an address: `#code=…`. It is taken out of the address before anything else happens.
import { signal } from '@preact/signals';
import { problemOf, request } from './api.js';
import { readWhoami } from './connection.js';
import { remember } from './session.js';

/** Why the code of the address was not taken; null: there was none, or it was. */
export const codeProblem = signal<string | null>(null);

/** Before the first page is drawn. */
export async function takeCode(): Promise<void> {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code === null) return;
  history.replaceState(null, '', location.pathname + location.search);
  codeProblem.value = await signInWith(code);
}

/** Of an address, or pasted: the code alone, or the whole address. Returns why it was not taken; null: it was. */
export async function signInWith(given: string): Promise<string | null> {
  const code = /code=([^&\s]+)/.exec(given)?.[1] ?? given.trim();
  codeProblem.value = null;
  try {
    const { body } = await request<{ readonly token: string }>('/admin/login', { method: 'POST', body: { code } });
    remember(body.token, false);
    await readWhoami();
    return null;
  } catch (error) {
    return problemOf(error).detail;
  }
}
