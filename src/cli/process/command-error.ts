// How a command fails: an exit code and a sentence for the operator, never a stack.

export const EXIT = {
  /** The other side answered, and the answer is an error. */
  answeredWithError: 1,
  usage: 64,
  /** A file that cannot be read, written or taken. */
  file: 65,
  /** The database has a schema that this version does not know. */
  newerSchema: 65,
  unreachable: 69,
  /** What was waited for did not happen in time. */
  waitedInVain: 75,
  configuration: 78,
} as const;

interface Details {
  /** Of the table of errors of the admin API, if it is one. */
  readonly code?: string;
  /** What the operator may do now; '': nothing. Wrong usage without one refers to the command's help. */
  readonly next?: string;
}

export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: string | null;
  readonly next: string | null;

  constructor(
    readonly exitCode: (typeof EXIT)[keyof typeof EXIT],
    message: string,
    { code, next }: Details = {},
  ) {
    super(message);
    this.code = code ?? null;
    this.next = next ?? null;
  }
}

export const wrongUsage = (message: string, next?: string): CommandError =>
  new CommandError(EXIT.usage, message, next === undefined ? {} : { next });
