// One extension in the snapshot file: as JSON in pieces of bounded size, and its ages moved on by the time that has passed.
import type { BreakerFactsRow, PutBack, RegistryEntry } from '../../domain/registry/registry-rows.js';

const ROWS_PER_PIECE = 100;

/** The entry as JSON, in pieces that are small however many rows it has. Throws if something of it is no JSON. */
export function* entryPieces(entry: RegistryEntry, elapsedMs: number): Generator<string> {
  const { extension, versions, instances, facts, versionFacts } = entry;
  // Written out: the rest of a destructured entry costs as much as its JSON.
  const own = {
    extension: ageRow(extension, elapsedMs),
    facts: facts && ageFacts(facts, elapsedMs),
    rolloutSlots: entry.rolloutSlots,
    thresholds: entry.thresholds,
    defaultThresholds: entry.defaultThresholds,
  };
  yield `${JSON.stringify(own).slice(0, -1)},"versions":[`;
  yield* list(versions, (row) => JSON.stringify(ageRow(row, elapsedMs)));
  yield '],"instances":[';
  yield* list(instances, (row) => JSON.stringify(row));
  yield '],"versionFacts":{';
  yield* list(
    Object.entries(versionFacts),
    ([version, row]) => `${JSON.stringify(version)}:${JSON.stringify(ageFacts(row, elapsedMs))}`,
  );
  yield '}}';
}

function* list<T>(items: readonly T[], text: (item: T) => string): Generator<string> {
  for (let i = 0; i < items.length; i += ROWS_PER_PIECE)
    yield `${i === 0 ? '' : ','}${items
      .slice(i, i + ROWS_PER_PIECE)
      .map(text)
      .join(',')}`;
}

export function ageEntry(entry: RegistryEntry, elapsedMs: number): RegistryEntry {
  const versionFacts: Record<string, BreakerFactsRow> = Object.create(null);
  for (const [version, facts] of Object.entries(entry.versionFacts)) versionFacts[version] = ageFacts(facts, elapsedMs);
  return {
    ...entry,
    extension: ageRow(entry.extension, elapsedMs),
    versions: entry.versions.map((row) => ageRow(row, elapsedMs)),
    facts: entry.facts && ageFacts(entry.facts, elapsedMs),
    versionFacts,
  };
}

/** A file that an older daemon wrote has no put_back. */
const ageRow = <Row extends { readonly put_back: PutBack | null }>(row: Row, elapsedMs: number): Row =>
  row.put_back ? { ...row, put_back: { ...row.put_back, ago_ms: row.put_back.ago_ms + elapsedMs } } : row;

function ageFacts<Facts extends BreakerFactsRow>(facts: Facts, elapsedMs: number): Facts {
  return {
    ...facts,
    opened_ago_ms: facts.opened_ago_ms === null ? null : facts.opened_ago_ms + elapsedMs,
    ...(facts.written_ago_ms == null ? {} : { written_ago_ms: facts.written_ago_ms + elapsedMs }),
    open_remaining_ms: facts.open_remaining_ms === null ? null : facts.open_remaining_ms - elapsedMs,
  };
}
