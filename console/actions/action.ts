// An action in progress, and the results of those before.
import { signal } from '@preact/signals';
import type { Words } from './texts.js';

export interface Done {
  readonly text: string;
  /** Label and what takes it back; absent: it cannot be. */
  readonly undo?: readonly [label: string, run: () => Promise<Done>];
}

export interface Order {
  /** null: none was given, and none is needed. */
  readonly reason: string | null;
  /** The name that the operator gave; undefined: none. */
  readonly by: string | undefined;
}

export interface Action {
  /** Read at each paint: it has numbers of now. */
  readonly words: () => Words;
  /** null: the action takes no reason. */
  readonly reason: 'required' | 'optional' | null;
  /** What has to be typed before it may be done; null: nothing. */
  readonly typed: string | null;
  /** A share of the calls is asked for, in percent: as it was typed, also where that is no share. */
  readonly share?: { readonly value: string; readonly isValid: boolean; readonly set: (value: string) => void };
  /** Rejects with an ApiError. */
  readonly run: (order: Order) => Promise<Done | null>;
  /** After a 412: what the action is judged by from now on. */
  readonly onConflict?: (revision: number) => void;
  /** Whose trail says what changed meanwhile. */
  readonly id: string;
}

/** null: no dialog is open. */
export const pending = signal<Action | null>(null);
/** The newest first. */
export const outcomes = signal<readonly (Done & { readonly n: number })[]>([]);

let outcomesSoFar = 0;

export function report(done: Done): void {
  outcomesSoFar++;
  outcomes.value = [{ ...done, n: outcomesSoFar }, ...outcomes.value].slice(0, 3);
}

export function dismiss(n: number): void {
  outcomes.value = outcomes.value.filter((one) => one.n !== n);
}
