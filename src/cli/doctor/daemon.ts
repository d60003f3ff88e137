// The daemon of this data directory, if it runs: whether it is ready, and what it lacks.
import { DaemonClient } from '../daemon/daemon-client.js';
import type { DaemonOptions } from '../options/common-options.js';
import type { CommandIo } from '../process/command-io.js';
import { type Finding, failed, ok, reasonOf, warning } from './findings.js';

interface Status {
  readonly version: string;
  readonly registry_revision: number | null;
  readonly readiness: {
    readonly ready: boolean;
    readonly reasons: readonly string[];
    readonly degraded: readonly string[];
  };
}

export async function checkDaemon(io: CommandIo, options: DaemonOptions): Promise<Finding> {
  try {
    const client = await DaemonClient.of(io, options);
    const { version, registry_revision: revision, readiness } = await client.json<Status>('/admin/status');
    const found = `version ${version} at ${client.url}, revision ${revision ?? 'none yet'}`;
    if (!readiness.ready)
      return failed('daemon', `${found}: not ready: ${readiness.reasons.join('; ')}`, 'the findings above say why');
    return readiness.degraded.length === 0
      ? ok('daemon', `${found}: ready`)
      : warning(
          'daemon',
          `${found}: serves calls without ${readiness.degraded.join(', ')}`,
          'the findings above say why',
        );
  } catch (error) {
    return failed('daemon', reasonOf(error), 'start it, or look at its log');
  }
}
