// How a command prints: how wide, with colour or without, and how much beside what was asked for.
//
// STYLE-1. Only states and outcomes have a colour, and it repeats what a word beside it says.
// STYLE-2. --color decides; else NO_COLOR, then CLICOLOR_FORCE, then whether it is a terminal.

export interface Style {
  /** Columns of the terminal; null: a pipe or a file, which gets everything whole. */
  readonly width: number | null;
  readonly colour: boolean;
  /** Only what was asked for: no headings, notes and hints. */
  readonly quiet: boolean;
}

export const PLAIN: Style = { width: null, colour: false, quiet: false };

interface StyleOptions {
  readonly color?: string;
  readonly quiet?: true;
}

interface Output {
  readonly stdout: { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: Readonly<Record<string, string | undefined>>;
}

const DEFAULT_WIDTH = 80;

export function styleOf({ stdout, env }: Output, { color = 'auto', quiet }: StyleOptions): Style {
  const isTerminal = stdout.isTTY === true;
  return {
    width: isTerminal ? stdout.columns || DEFAULT_WIDTH : null,
    colour: color === 'auto' ? isColourful(env, isTerminal) : color === 'always',
    quiet: quiet === true,
  };
}

/** STYLE-2. */
function isColourful(env: Output['env'], isTerminal: boolean): boolean {
  const { NO_COLOR = '', CLICOLOR_FORCE = '', TERM } = env;
  if (NO_COLOR !== '') return false;
  if (CLICOLOR_FORCE !== '' && CLICOLOR_FORCE !== '0') return true;
  return isTerminal && TERM !== 'dumb';
}

const [RED, GREEN, YELLOW, MAGENTA] = [31, 32, 33, 35];
const COLOURS: ReadonlyMap<string, number> = new Map([
  ...['closed', 'healthy', 'taken', 'yes', 'ready', 'live'].map((word) => [word, GREEN] as const),
  ...['open', 'unhealthy', 'refused', 'failed'].map((word) => [word, RED] as const),
  ...['half_open', 'half-open', 'degraded', 'recovering'].map((word) => [word, YELLOW] as const),
  ...['isolated', 'forced_closed', 'forced-closed', 'disabled', 'auto-disabled'].map(
    (word) => [word, MAGENTA] as const,
  ),
]);

/** STYLE-1. A state or an outcome, by its first word. */
export function painted(text: string, { colour }: Style): string {
  const code = colour ? COLOURS.get(/[a-z_-]+/.exec(text)?.[0] ?? '') : undefined;
  return code === undefined ? text : `\u001b[${code}m${text}\u001b[0m`;
}
