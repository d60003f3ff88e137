// Who runs a command, for the audit trail.
import { userInfo } from 'node:os';

export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // An account that the system has no name for.
    return String(process.getuid?.() ?? 'unknown');
  }
}
