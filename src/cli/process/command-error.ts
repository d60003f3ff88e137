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
  configuration: 78,
} as const;

export class CommandError extends Error {
  override readonly name = 'CommandError';
  constructor(
    readonly exitCode: (typeof EXIT)[keyof typeof EXIT],
    message: string,
  ) {
    super(message);
  }
}
