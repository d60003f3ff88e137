// A feed that starts from the last good snapshot if the database cannot be reached.
//
// LAST-KNOWN-FEED-1. The file is used only while the feed itself has delivered nothing, and never after.
import { connect, merge, mergeMap, type SchedulerLike, takeUntil, tap, timer } from '#rxjs';
import type { RegistryFeed } from '../../actors/ports/storage.js';
import type { RegistryUpdate } from '../../domain/registry/registry-rows.js';
import { readSnapshotFile, type SnapshotFile } from './snapshot-file.js';

interface LastKnownOptions {
  readonly path: string;
  /** How long the database may take to answer first. */
  readonly afterMs: number;
  readonly wallClock: () => number;
  /** What was found when the time was up: `found` is being used. */
  readonly onFileRead: (file: SnapshotFile) => void;
  readonly scheduler?: SchedulerLike;
}

export function withLastKnown(feed$: RegistryFeed, options: LastKnownOptions): RegistryFeed {
  return feed$.pipe(
    connect((live$) =>
      merge(
        live$,
        timer(options.afterMs, options.scheduler).pipe(
          mergeMap(() => readSnapshotFile(options.path, options.wallClock())),
          takeUntil(live$),
          tap(options.onFileRead),
          mergeMap((file): RegistryUpdate[] =>
            file.kind === 'found' ? [{ kind: 'snapshot', ...file.snapshot, request: 0 }] : [],
          ),
        ),
      ),
    ),
  );
}
