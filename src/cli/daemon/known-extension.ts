// Whether a daemon has an extension, for commands whose answer about an unknown one would be empty: a mistyped id must not look well.
import { CommandError } from '../process/command-error.js';
import type { DaemonClient } from './daemon-client.js';
import { rowPath } from './row-requests.js';

const UNKNOWN = ['extension_not_found', 'version_not_found'];

/**
 * Rejects with extension_not_found, and with version_not_found where a version is named that it lacks; anything else that keeps a row from being
 * read says nothing about the id. Resolves with its default version, or null where that is not known.
 */
export async function requireExtension(daemon: DaemonClient, id: string, version?: string): Promise<string | null> {
  try {
    const row = await daemon.json<{ readonly version?: string } | null>(rowPath(id, {}));
    const standard = row?.version ?? null;
    // A default version may have no row of its own.
    if (version !== undefined && version !== standard) await daemon.json(rowPath(id, { version }));
    return standard;
  } catch (error) {
    if (error instanceof CommandError && error.code !== null && UNKNOWN.includes(error.code)) throw error;
    return null;
  }
}
