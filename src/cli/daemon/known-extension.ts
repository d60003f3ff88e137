// Whether a daemon has an extension, for commands whose answer about an unknown one would be empty: a mistyped id must not look well.
import { CommandError } from '../process/command-error.js';
import type { DaemonClient } from './daemon-client.js';
import { rowPath } from './row-requests.js';

/**
 * Rejects with extension_not_found; anything else that keeps the row from being read says nothing about the id. Resolves with its default
 * version, or null where that is not known.
 */
export async function requireExtension(daemon: DaemonClient, id: string): Promise<string | null> {
  try {
    const row = await daemon.json<{ readonly version?: string } | null>(rowPath(id, {}));
    return row?.version ?? null;
  } catch (error) {
    if (error instanceof CommandError && error.code === 'extension_not_found') throw error;
    return null;
  }
}
