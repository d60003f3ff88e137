// The daemon of this data directory, if it runs: whether it is ready, and what it lacks.
import type { DaemonStatus } from '../../domain/status-schema.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import type { DaemonOptions } from '../options/common-options.js';
import type { CommandIo } from '../process/command-io.js';
import { type Finding, failed, ok, reasonOf, warning } from './findings.js';

export async function checkDaemon(io: CommandIo, options: DaemonOptions): Promise<Finding> {
  try {
    const client = await DaemonClient.of(io, options);
    const { version, registry_revision: revision, readiness } = await client.json<DaemonStatus>('/admin/status');
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
