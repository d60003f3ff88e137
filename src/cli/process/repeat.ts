// A command that goes on until its reader is gone: what it reads is printed again and again, or as it happens.
import { setTimeout as wait } from 'node:timers/promises';
import { CommandError } from './command-error.js';
import type { CommandIo } from './command-io.js';

/** Runs `follow` until it ends or the reader of standard output is gone, which `signal` then says. Leaves no listener behind. */
export async function untilReaderGone<T>(
  { stdout }: Pick<CommandIo, 'stdout'>,
  follow: (signal: AbortSignal) => Promise<T>,
): Promise<T | null> {
  const gone = new AbortController();
  const onGone = (): void => gone.abort();
  for (const event of ['error', 'close']) stdout.once(event, onGone);
  if (stdout.destroyed) onGone();
  try {
    return await follow(gone.signal);
  } catch (error) {
    if (gone.signal.aborted) return null;
    throw error;
  } finally {
    for (const event of ['error', 'close']) stdout.off(event, onGone);
  }
}

/** Resolves after that time, or as soon as `signal` aborts. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  wait(ms, undefined, { signal }).catch(() => undefined);

const HOME = '\u001b[H';
const CLEAR = '\u001b[2J';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/**
 * Prints what `read` gives: once, or every `seconds`. On a terminal each takes the place of the one before. An error of the first
 * time ends it; later ones are shown, and it is tried again. Resolves with the exit code of the last time.
 */
export async function printed(
  io: CommandIo,
  seconds: number | undefined,
  read: () => Promise<{ readonly text: string; readonly code?: number }>,
): Promise<number> {
  const first = await read();
  if (seconds === undefined) {
    io.stdout.write(first.text);
    return first.code ?? 0;
  }
  let code = first.code ?? 0;
  await untilReaderGone(io, async (signal) => {
    const isTerminal = io.stdout.isTTY === true;
    io.stdout.write(isTerminal ? `${CLEAR}${screenOf(first.text, io.stdout.rows)}` : first.text);
    while (!signal.aborted) {
      await pause(seconds * 1000, signal);
      if (signal.aborted) return;
      const text = await read().then(
        (next) => {
          code = next.code ?? 0;
          return next.text;
        },
        (error: unknown) => {
          if (!(error instanceof CommandError)) throw error;
          return `extreg: ${error.message}\n`;
        },
      );
      io.stdout.write(isTerminal ? screenOf(text, io.stdout.rows) : text);
    }
  });
  return code;
}

function screenOf(text: string, rows = 24): string {
  const lines = text.trimEnd().split('\n');
  const room = Math.max(1, rows - 1);
  const shown = lines.length <= room ? lines : [...lines.slice(0, room - 1), `… ${lines.length - room + 1} lines more`];
  return `${HOME}${shown.map((line) => `${line}${CLEAR_LINE}\n`).join('')}${CLEAR_BELOW}`;
}
