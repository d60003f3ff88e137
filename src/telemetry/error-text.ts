/** For the log: the stack of an error, with its message; anything else that was thrown as text. */
export const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
