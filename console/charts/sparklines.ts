// The sparklines of the rows in view: asked for together, again every ten seconds, and kept while the list is on the page.
import { type Signal, signal } from '@preact/signals';
import type { Sparklines } from '../../src/domain/health/history-answer.js';
import { read } from '../live/api.js';
import { NO_NUMBER } from '../live/board.js';
import { connection } from '../live/connection.js';
import { forgetColours, type Line } from './sparkline.js';

const EVERY_MS = 10_000;
const SETTLED_MS = 150;
const MAX_ASKED = 200;
const MAX_KEPT = 2000;

const lines = new Map<string, Signal<Line | null>>();
let inView: readonly { readonly id: string; readonly k: number }[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

/** Of an extension; null until it was read. */
export function lineOf(id: string): Signal<Line | null> {
  const line = lines.get(id) ?? signal<Line | null>(null);
  // The last one is that which was asked for last: what is dropped is not in view.
  lines.delete(id);
  lines.set(id, line);
  const [oldest = id] = lines.keys();
  if (lines.size > MAX_KEPT) lines.delete(oldest);
  return line;
}

/** Called when the list shows other rows: what is not known of them is asked for once scrolling has settled. */
export function showLines(rows: typeof inView): void {
  inView = rows.filter(({ k }) => k !== NO_NUMBER);
  clearTimeout(timer);
  timer = undefined;
  if (inView.length === 0) return;
  const isMissing = inView.some(({ id }) => lineOf(id).peek() === null);
  timer = setTimeout(ask, isMissing ? SETTLED_MS : EVERY_MS);
}

async function ask(): Promise<void> {
  timer = undefined;
  const asked = inView.slice(0, MAX_ASKED);
  if (!document.hidden && connection.peek().kind !== 'lost')
    try {
      const { calls, failed } = await read<Sparklines>(`/admin/sparklines?k=${asked.map(({ k }) => k).join(',')}`);
      for (const [i, { id }] of asked.entries()) {
        const [called, fell] = [calls[i], failed[i]];
        lineOf(id).value = { calls: called ?? [], failed: fell ?? [] };
      }
    } catch {
      // Tried again below; the page says that it is not connected.
    }
  // Unless the list has shown other rows meanwhile, which are asked for sooner.
  if (inView.length > 0) timer ??= setTimeout(ask, EVERY_MS);
}

/** Colours of a canvas do not follow the scheme of the system: every line is drawn again. */
export function redrawOnScheme(): () => void {
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const redraw = () => {
    forgetColours();
    for (const line of lines.values()) if (line.peek() !== null) line.value = { ...(line.peek() as Line) };
  };
  scheme.addEventListener('change', redraw);
  return () => scheme.removeEventListener('change', redraw);
}
