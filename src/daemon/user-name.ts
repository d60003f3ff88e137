// The user of the system that this process runs as.
import { userInfo } from 'node:os';

/** A user without an entry has a number. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
