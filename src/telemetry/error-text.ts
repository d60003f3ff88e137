/** Of errors that name each other. */
const MAX_CAUSES = 5;

/** For the log: the stack of an error, with its message, and those of its causes; anything else that was thrown as text. */
export function stackOf(error: unknown): string {
  const stacks: string[] = [];
  for (let at = error; stacks.length <= MAX_CAUSES; at = at.cause) {
    stacks.push(at instanceof Error ? (at.stack ?? at.message) : String(at));
    if (!(at instanceof Error) || at.cause === undefined) break;
  }
  return stacks.join('\ncaused by: ');
}
