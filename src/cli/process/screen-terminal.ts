// The terminal of a live screen: the alternate screen, keys one by one, and the terminal as it was when it ends.
//
// SCREEN-TERMINAL-1. However the process ends, short of SIGKILL, the terminal is as it was before: the screen, the cursor, its mode.
import type { CommandIo } from './command-io.js';

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
/** After an escape so long without a further byte, it was the key. */
const ESCAPE_MS = 50;

const SEQUENCES: ReadonlyMap<string, string> = new Map([
  ['\u001b[A', 'up'],
  ['\u001bOA', 'up'],
  ['\u001b[B', 'down'],
  ['\u001bOB', 'down'],
  ['\u001b[5~', 'page up'],
  ['\u001b[6~', 'page down'],
  ['\r', 'enter'],
  ['\n', 'enter'],
  ['\u007f', 'backspace'],
  ['\b', 'backspace'],
  ['\u0003', 'interrupt'],
]);

/** Names of keys, and characters as they are. `rest`: the beginning of a sequence. */
export function keysIn(text: string): { readonly keys: readonly string[]; readonly rest: string } {
  const keys: string[] = [];
  let rest = text;
  while (rest !== '') {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: keys are sent as these
    const [taken = ''] = /^(?:\u001b(?:\[[\d;]*[A-Za-z~]|O[A-Za-z])|\u001b(?![[O]|$)|[^\u001b])/su.exec(rest) ?? [];
    if (taken === '') return { keys, rest };
    rest = rest.slice(taken.length);
    if (taken === '\u001b') keys.push('escape');
    else {
      const name = SEQUENCES.get(taken);
      if (name !== undefined) keys.push(name);
      else if (taken >= ' ') keys.push(taken);
    }
  }
  return { keys, rest };
}

export interface ScreenTerminal {
  readonly size: () => { readonly columns: number; readonly rows: number };
  readonly show: (lines: readonly string[]) => void;
}

/** Runs `live` on the alternate screen. `signal` aborts when the process is asked to end. SCREEN-TERMINAL-1. */
export async function onScreen(
  io: CommandIo,
  onKey: (key: string) => void,
  onResize: () => void,
  live: (terminal: ScreenTerminal, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { stdin, stdout, ownProcess } = io;
  const ended = new AbortController();
  let isRestored = false;
  const restore = (): void => {
    if (isRestored) return;
    isRestored = true;
    try {
      stdin.setRawMode?.(false);
    } catch {
      // A terminal that is gone has no mode.
    }
    if (!stdout.destroyed) stdout.write(LEAVE);
  };
  const release = ownProcess?.whenEnding(restore, () => ended.abort());
  const stopKeys = readKeys(
    io,
    (key) => (key === 'interrupt' ? ended.abort() : onKey(key)),
    () => ended.abort(),
  );
  stdout.on('resize', onResize);
  try {
    stdin.setRawMode?.(true);
    stdout.write(ENTER);
    await live(
      {
        size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
        show: (lines) =>
          void stdout.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n')}${CLEAR_BELOW}`),
      },
      ended.signal,
    );
  } finally {
    stdout.off('resize', onResize);
    stopKeys();
    restore();
    release?.();
  }
}

function readKeys({ stdin }: CommandIo, onKey: (key: string) => void, onEnd: () => void): () => void {
  let rest = '';
  let pending: NodeJS.Timeout | undefined;
  const onData = (chunk: Buffer | string): void => {
    clearTimeout(pending);
    const read = keysIn(rest + String(chunk));
    rest = read.rest;
    for (const key of read.keys) onKey(key);
    if (rest === '') return;
    pending = setTimeout(() => {
      rest = '';
      onKey('escape');
    }, ESCAPE_MS);
  };
  stdin.on('data', onData);
  stdin.on('end', onEnd);
  stdin.resume();
  return () => {
    clearTimeout(pending);
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    stdin.pause();
  };
}
