// Whose session this is: the token of this tab, what it allows, and why it is gone.
//
// SESSION-1. A token is kept for the tab, or for this computer if that was chosen, and forgotten as soon as the daemon refuses it.
// SESSION-2. Why there is no token any more is kept: it was revoked, it expired, or its user signed out.
import { computed, signal } from '@preact/signals';
import { allows, type Role } from '../../src/domain/access/principal.js';

export interface Whoami {
  readonly name: string;
  readonly role: Role;
  readonly kind: 'open' | 'local' | 'token' | 'sign_in';
  /** ISO 8601; null: never. */
  readonly expires_at: string | null;
  readonly auth: 'required' | 'open';
}

export type LeaveReason = 'signed_out' | 'revoked' | 'expired' | 'unknown' | 'never';

const KEY = 'extreg-token';

/** null: not known yet. */
export const whoami = signal<Whoami | null>(null);
/** Why nothing can be shown; null: it can, as far as is known. */
export const left = signal<LeaveReason | null>(null);

/** Whether an action of that role is drawn. */
export const may = (needed: Role): boolean => whoami.value !== null && allows(whoami.value.role, needed);
export const isOpen = computed(() => whoami.value?.kind === 'open');

export const token = (): string | null => sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);

/** SESSION-1. */
export function remember(text: string, onThisComputer: boolean): void {
  // The tab's own token comes first in token(): one from before would hide a new one of this computer.
  sessionStorage.removeItem(KEY);
  (onThisComputer ? localStorage : sessionStorage).setItem(KEY, text);
  left.value = null;
}

/** SESSION-2. */
export function forget(reason: LeaveReason): void {
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
  whoami.value = null;
  left.value = reason;
}

/** The daemon refused what was sent: which of the reasons it was. */
export function refused(sent: string | null, nowMs: number): void {
  // Another tab, or a request that was under way, was faster.
  if (sent !== token()) return;
  const expiresAt = whoami.value?.expires_at ?? null;
  if (sent === null) forget('never');
  // It was never accepted in this tab.
  else if (whoami.value === null) forget('unknown');
  else forget(expiresAt !== null && Date.parse(expiresAt) <= nowMs ? 'expired' : 'revoked');
}
