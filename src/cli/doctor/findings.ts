// What `extreg doctor` finds, one line for each check.

/** What a server may take for all questions of a check: one that accepts connections and answers nothing would be waited for without end. */
export const ANSWERS_MS = 15_000;

/** `skipped`: there was nothing to check, or an earlier finding keeps it from being checked. */
type Verdict = 'ok' | 'warning' | 'failed' | 'skipped';

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  /** What was found. */
  readonly found: string;
  /** What to do about it; null where nothing is to be done. */
  readonly advice: string | null;
}

export const ok = (check: string, found: string): Finding => ({ check, verdict: 'ok', found, advice: null });
export const skipped = (check: string, found: string): Finding => ({ check, verdict: 'skipped', found, advice: null });
export const warning = (check: string, found: string, advice: string): Finding => ({
  check,
  verdict: 'warning',
  found,
  advice,
});
export const failed = (check: string, found: string, advice: string): Finding => ({
  check,
  verdict: 'failed',
  found,
  advice,
});

/** In one line, of whatever was thrown. */
export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, '; ');
