// `extreg watch [id]`: a live screen of what is wrong, or of one extension. One connection; what it reads is the board.

import { Command } from '#commander';
import { BOARD_STATES } from '../../domain/board-codes.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import { type BoardRow, LiveBoard } from '../daemon/live-board.js';
import { extensionPath } from '../daemon/paths.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import type { EventFacts } from '../output/event-text.js';
import { oneText } from '../output/health-text.js';
import { jsonLine } from '../output/output.js';
import { headText, nextText, type OneHealth } from '../output/state-text.js';
import { type Style, styleOf } from '../output/style.js';
import { screenLines } from '../output/watch-screen.js';
import { CommandError, wrongUsage } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';
import { pause, untilReaderGone } from '../process/repeat.js';
import { onScreen, type ScreenTerminal } from '../process/screen-terminal.js';

type WatchCommandOptions = OutputOptions & DaemonOptions;

/** Between two pictures at least; and at most, because times go on. */
const PAINT_MS = 200;
const TICK_MS = 1000;
const DETAIL_MS = 1000;
const JSON_MS = 1000;

export const watchCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('watch')
      .argument('[id]', 'extension (default: all that is wrong)')
      .option('--json', 'no screen: a line of JSON each second in which something changed'),
    'extreg watch',
    'extreg watch pii_guard',
  ),
  settings: 'http',
  action: async (id: string | undefined, options: WatchCommandOptions) => {
    const isTerminal = io.stdin.isTTY === true && io.stdout.isTTY === true;
    if (!options.json && !isTerminal)
      throw wrongUsage(
        'watch: needs a terminal',
        'extreg ls --wrong --watch prints it again and again, extreg watch --json follows',
      );
    const daemon = await DaemonClient.of(io, options);
    // So that it ends with 1 before anything is on the screen.
    if (id !== undefined) await daemon.json(extensionPath(id, 'health'));
    if (options.json) return followJson(io, daemon, id);
    const watch = new Watch(daemon, styleOf(io, options), id ?? null);
    await onScreen(io, watch.onKey, watch.repaint, (terminal, signal) => watch.run(terminal, signal));
    return 0;
  },
});

/** What the keys change, and what is shown. */
class Watch {
  readonly #board = new LiveBoard();
  readonly #quit = new AbortController();
  #filter: string | null = null;
  #isTyping = false;
  #selectedId: string | null;
  #detail: string | null = null;
  #isDetail: boolean;
  #isDue = true;
  #wake: () => void = () => undefined;

  constructor(
    private readonly daemon: DaemonClient,
    private readonly style: Style,
    id: string | null,
  ) {
    this.#selectedId = id;
    this.#isDetail = id !== null;
  }

  async run(terminal: ScreenTerminal, ended: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([ended, this.#quit.signal]);
    const work = [
      this.#board.follow(this.daemon, signal, this.repaint),
      this.#painting(terminal, signal),
      this.#reading(signal),
    ];
    try {
      // The first that fails ends the others.
      await Promise.all(work);
    } finally {
      this.#quit.abort();
      this.#wake();
      await Promise.allSettled(work);
    }
  }

  readonly repaint = (): void => {
    this.#isDue = true;
    this.#wake();
  };

  readonly onKey = (key: string): void => {
    if (this.#isTyping) this.#type(key);
    else this.#command(key);
    this.repaint();
  };

  #type(key: string): void {
    const text = this.#filter ?? '';
    if (key === 'escape') this.#filter = null;
    else if (key === 'backspace') this.#filter = text.slice(0, -1);
    else if (key !== 'enter' && key.length <= 2) this.#filter = text + key;
    if (key === 'enter' || key === 'escape') this.#isTyping = false;
    if (this.#filter === '' && !this.#isTyping) this.#filter = null;
  }

  #command(key: string): void {
    const rows = this.#rows;
    const at = rows.findIndex(({ id }) => id === this.#selectedId);
    const move = (by: number): void => {
      if (!this.#isDetail) this.#selectedId = rows[Math.max(0, Math.min(rows.length - 1, at + by))]?.id ?? null;
    };
    if (key === 'q') this.#quit.abort();
    else if (key === '/') {
      this.#leaveDetail();
      this.#isTyping = true;
      this.#filter ??= '';
    } else if (key === 'up' || key === 'k') move(at < 0 ? 1 : -1);
    else if (key === 'down' || key === 'j') move(1);
    else if (key === 'page up') move(-10);
    else if (key === 'page down') move(10);
    else if (key === 'enter' && this.#selectedId !== null) this.#isDetail = true;
    else if (key === 'escape' || key === 'backspace') {
      if (this.#isDetail) this.#leaveDetail();
      else this.#filter = null;
    }
  }

  #leaveDetail(): void {
    this.#isDetail = false;
    this.#detail = null;
  }

  /** What is wrong, or with a filter all that have it in their ids. */
  get #rows(): readonly BoardRow[] {
    const filter = this.#filter?.toLowerCase() ?? '';
    if (filter === '') return this.#board.wrong;
    const found = [...this.#board.rows.values()].filter(({ id }) => id.toLowerCase().includes(filter));
    return found.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async #painting(terminal: ScreenTerminal, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#isDue = false;
      const size = terminal.size();
      const { problem, heardAtMs, summary, daemon, events } = this.#board;
      const rows = this.#rows;
      if (!this.#isDetail && !rows.some(({ id }) => id === this.#selectedId)) this.#selectedId = rows[0]?.id ?? null;
      const screen = {
        address: this.daemon.url,
        nowMs: Date.now(),
        ...{ problem, heardAtMs, summary, daemon, rows },
        events: this.style.quiet ? [] : (events as EventFacts[]),
        selectedId: this.#selectedId,
        filter: this.#filter,
        isTyping: this.#isTyping,
        detail: this.#isDetail ? (this.#detail ?? '…') : null,
      };
      terminal.show(screenLines(screen, size, { ...this.style, width: size.columns, quiet: false }));
      await pause(PAINT_MS, signal);
      if (!this.#isDue) await this.#untilDue(signal);
    }
  }

  async #untilDue(signal: AbortSignal): Promise<void> {
    const due = new AbortController();
    this.#wake = () => due.abort();
    await pause(TICK_MS - PAINT_MS, AbortSignal.any([signal, due.signal]));
  }

  /** The extension that is shown, as long as one is. */
  async #reading(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const id = this.#selectedId;
      if (this.#isDetail && id !== null && this.#board.problem === null) {
        const text = await this.#readDetail(id, signal);
        if (this.#isDetail && this.#selectedId === id) this.#detail = text;
        this.repaint();
      }
      await pause(this.#isDetail && this.#detail !== null ? DETAIL_MS : PAINT_MS, signal);
    }
  }

  async #readDetail(id: string, signal: AbortSignal): Promise<string> {
    try {
      const { text } = await this.daemon.request(extensionPath(id, 'health'), { signal });
      const health = JSON.parse(text) as OneHealth;
      const tables = oneText(health, this.style).split('\n').slice(1).join('\n');
      return `${headText(health, Date.now(), this.style)}${tables}\n${nextText(health)}`;
    } catch (error) {
      if (error instanceof CommandError) return `${error.message}\n`;
      throw error;
    }
  }
}

/** Without a screen: what is wrong, whenever it changed. */
async function followJson(io: CommandIo, daemon: DaemonClient, id: string | undefined): Promise<number> {
  const board = new LiveBoard();
  let isDue = false;
  const line = (): string => {
    const rows = id === undefined ? board.wrong : [...board.rows.values()].filter((row) => row.id === id);
    const shown = rows.map(({ k: _, state, ...row }) => ({ ...row, state: BOARD_STATES[state] ?? null }));
    return jsonLine({
      at: new Date().toISOString(),
      problem: board.problem,
      summary: board.summary,
      extensions: shown,
    });
  };
  await untilReaderGone(io, async (signal) => {
    const own = new AbortController();
    const either = AbortSignal.any([signal, own.signal]);
    const printing = (async () => {
      while (!either.aborted) {
        if (isDue) io.stdout.write(line());
        isDue = false;
        await pause(JSON_MS, either);
      }
    })();
    try {
      await board.follow(daemon, either, () => {
        isDue = true;
      });
    } finally {
      own.abort();
      await printing;
    }
  });
  return 0;
}
